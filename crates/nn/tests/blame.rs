//! An error blames the line of whoever called, not one of this library.
#![cfg(all(feature = "files", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::panic::Location;

use wengert_nn::board::SummaryWriter;
use wengert_nn::data::cifar::{Records, read_cifar10, read_cifar100};
use wengert_nn::data::collate::Pad;
use wengert_nn::data::concat::Concat;
use wengert_nn::data::csv::{CsvFile, read_csv};
use wengert_nn::data::dataset::Dataset;
use wengert_nn::data::folder::ImageFolder;
use wengert_nn::data::folds::{KFold, stratified_split};
use wengert_nn::data::idx::{IdxReader, Mnist, read_idx, read_labelled};
use wengert_nn::data::image::{ImageReader, read_image, write_png};
use wengert_nn::data::loader::DataLoader;
use wengert_nn::data::npy::{NpyReader, read_npy, read_npz, write_npy, write_npz, write_npz_compressed};
use wengert_nn::data::sampler::balanced::BalancedSampler;
use wengert_nn::data::sampler::buckets::LengthBuckets;
use wengert_nn::data::sampler::weighted::WeightedSampler;
use wengert_nn::data::subset::Subset;
use wengert_nn::data::text::bpe::Bpe;
use wengert_nn::data::text::characters::CharVocabulary;
use wengert_nn::data::text::read_text;
use wengert_nn::data::text::windows::TokenWindows;
use wengert_nn::data::transform::color::{adjust_brightness, adjust_contrast, adjust_saturation};
use wengert_nn::data::transform::rotate::rotate;
use wengert_nn::data::transform::scale::{MinMaxScaler, Normalize, StandardScaler};
use wengert_nn::files::archive::{Archive, to_bytes, write_tensors};
use wengert_nn::files::checkpoint::Checkpoints;
use wengert_nn::files::torch::TorchFile;
use wengert_nn::files::weights::{Strict, Weights};
use wengert_nn::layers::dense::Dense;
use wengert_nn::layers::discretization::Discretization;
use wengert_nn::layers::kv_cache::KvCache;
use wengert_nn::layers::standardize::Standardize;
use wengert_nn::losses::mean_squared_error::MeanSquaredError;
use wengert_nn::optim::sgd::Sgd;
use wengert_nn::plot::bars::BarChart;
use wengert_nn::plot::histogram::Histogram;
use wengert_nn::plot::line::LineChart;
use wengert_nn::train::callbacks::best_weights::BestWeights;
use wengert_nn::train::callbacks::csv_logger::CsvLogger;
use wengert_nn::train::keep::Keep;
use wengert_nn::train::trainer::Trainer;
use wengert_tensor::dtype::DType;
use wengert_tensor::error::Result;
use wengert_tensor::tensor::Tensor;

/// What was blamed by mistake.
#[derive(Default)]
struct Blamed(Vec<String>);

impl Blamed {
    #[track_caller]
    fn refused<T>(&mut self, what: Result<T>) {
        let line = Location::caller().line();
        match what {
            Ok(_) => self.0.push(format!("line {line}: no error")),
            Err(error) => match error.location() {
                Some(at) if at.file() == file!() && at.line() == line => (),
                Some(at) => self.0.push(format!("line {line}: {at} is blamed\n{error}")),
                None => self.0.push(format!("line {line}: no line is blamed\n{error}")),
            },
        }
    }
}

#[test]
fn files_that_cannot_be_read_or_written() {
    let folder = std::env::temp_dir().join(format!("wengert-blame-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (none, ones) = (folder.join("none"), Tensor::ones([2, 2], DType::F32).unwrap());
    let named = [("a".to_string(), ones.clone())];
    let mut b = Blamed::default();
    b.refused(read_cifar10(&[&none]));
    b.refused(read_cifar100(&[&none]));
    b.refused(Records::Cifar10.parse("f", b"short"));
    b.refused(read_csv(&none, "label"));
    b.refused(CsvFile::new(&none).read());
    b.refused(ImageFolder::open(&none));
    b.refused(read_idx(&none));
    b.refused(IdxReader::new().read(&none));
    b.refused(IdxReader::new().parse("f", b"short"));
    b.refused(Mnist::read(&none));
    b.refused(read_labelled(&none, &none));
    b.refused(read_image(&none));
    b.refused(ImageReader::new().read(&none));
    b.refused(ImageReader::new().decode("f", b"no image"));
    b.refused(write_png(&folder, &ones));
    b.refused(read_npy(&none));
    b.refused(read_npz(&none));
    b.refused(NpyReader::new().read(&none));
    b.refused(NpyReader::new().parse("f", b"no array"));
    b.refused(NpyReader::new().read_archive(&none));
    b.refused(NpyReader::new().parse_archive("f", b"no archive"));
    b.refused(write_npy(&folder, &ones));
    b.refused(write_npz(&folder, &named));
    b.refused(write_npz_compressed(&folder, &named));
    b.refused(read_text(&none));
    b.refused(Bpe::load(&none));
    b.refused(Bpe::parse("f", b"no JSON"));
    b.refused(Bpe::train("a text", 256).unwrap().save(&folder));
    b.refused(CharVocabulary::load(&none));
    b.refused(CharVocabulary::of("ab").save(&folder));
    b.refused(write_tensors(&folder, &named));
    b.refused(Archive::open(&none));
    b.refused(Archive::from_bytes("f", vec![1; 20]));
    b.refused(Archive::from_bytes("f", to_bytes(&named).unwrap()).unwrap().tensor("b"));
    b.refused(TorchFile::open(&none));
    b.refused(TorchFile::from_bytes("f", vec![1; 20]));
    b.refused(Dense::new(1, 1).save_weights(&folder));
    b.refused(Dense::new(1, 1).load_weights(&none, Strict));
    b.refused(Checkpoints::open(&folder).unwrap().load(7));
    std::fs::write(&none, "a file, and no folder").unwrap();
    let (data, below) = ((ones.clone(), ones.clone()), none.join("below"));
    let trainer = || Trainer::new(Sgd::new(0.1), MeanSquaredError::new()).verbose(false).epochs(1);
    let mut best = trainer().callback(BestWeights::on("loss", &below));
    let mut model = Dense::new(2, 2);
    b.refused(best.fit(&mut model, &data));
    let mut log = trainer().callback(CsvLogger::new(&below));
    b.refused(log.fit(&mut model, &data));
    let mut saved = trainer().checkpoints(&below, Keep::last(2));
    b.refused(saved.fit(&mut model, &data));
    b.refused(SummaryWriter::open(&folder).unwrap().image("image", 0, &Tensor::from(1f32)));
    std::fs::remove_dir_all(&folder).ok();
    assert!(b.0.is_empty(), "{}", b.0.join("\n"));
}

#[test]
fn arguments_without_a_meaning() {
    let data = Tensor::from([1f32, 2.0, 3.0]);
    let (labels, rows) = (Tensor::from([0i64, 0, 1]), Tensor::ones([3, 2], DType::F32).unwrap());
    let (image, whole) = (Tensor::ones([1, 3, 2, 2], DType::F32).unwrap(), Tensor::ones([2], DType::I64).unwrap());
    let mut b = Blamed::default();
    b.refused(DataLoader::new(&data, 0));
    b.refused(DataLoader::new(&data, 1).unwrap().bucket_by_length([1], 0));
    b.refused(DataLoader::new(&data, 1).unwrap().load_state(&[]));
    b.refused(DataLoader::new(&data, 1).unwrap().sampler(WeightedSampler::new([1.0], 0).unwrap()));
    b.refused(Pad::new().batch(&[]));
    b.refused(KFold::new(1).split(3));
    b.refused(KFold::new(2).stratified(&labels));
    b.refused(stratified_split(&labels, 2.0, 0));
    b.refused(WeightedSampler::new([-1.0], 0));
    b.refused(WeightedSampler::new([1.0], 0).unwrap().samples(0));
    b.refused(WeightedSampler::new([1.0, 0.0], 0).unwrap().without_replacement());
    b.refused(BalancedSampler::new(&data, 0));
    b.refused(BalancedSampler::new(&labels, 0).unwrap().samples(0));
    b.refused(LengthBuckets::new([1], 0, 0));
    b.refused(Subset::new(&data, [7]));
    b.refused(Concat::<Tensor>::new([]));
    b.refused(data.split(2.0, 0));
    b.refused(TokenWindows::new([1, 2], 0));
    b.refused(TokenWindows::new([1, 2], 2));
    b.refused(Bpe::train("a", 1));
    b.refused(Bpe::train("a", 256).unwrap().decode(&[999]));
    b.refused(CharVocabulary::of("ab").encode("c"));
    b.refused(CharVocabulary::of("ab").decode(&[9]));
    b.refused(Normalize::new([0.0], [0.0]));
    b.refused(Normalize::fit(&data));
    b.refused(Normalize::fit(&rows));
    b.refused(StandardScaler::fit(&whole));
    b.refused(StandardScaler::fit(&rows).unwrap().inverse(&data));
    b.refused(MinMaxScaler::fit(&whole));
    b.refused(MinMaxScaler::fit(&rows).unwrap().inverse(&data));
    b.refused(adjust_brightness(&image, &[]));
    b.refused(adjust_contrast(&image, &[]));
    b.refused(adjust_saturation(&image, &[]));
    b.refused(rotate(&data, 1.0, 0.0));
    b.refused(Discretization::new([]));
    b.refused(Discretization::of(&data, 1));
    b.refused(Standardize::of(&Tensor::from(1f32)));
    b.refused(KvCache::new(0, 1, 1, 1, DType::F32));
    b.refused(LineChart::new("").to_svg());
    b.refused(BarChart::new("").to_svg());
    b.refused(Histogram::new("").to_svg());
    assert!(b.0.is_empty(), "{}", b.0.join("\n"));
}
