//! Translation with attention: `the 2nd of march, 1998`, `3/2/98` and their like become `1998-03-02`.
//!
//! A recurrent network reads the letters from both ends. Another writes the date sign by sign, and before each looks back at the letters
//! that matter: the picture shows where. Bahdanau et al. 2014.
//! `cargo run --release --example dates`

use wengert::prelude::*;
use wengert::tensor::random::uniform_f64;

/// What a human writes, padded with spaces to one length.
const LETTERS: &str = " 0123456789abcdefghijklmnopqrstuvwxyz,./";
const LENGTH: usize = 28;

/// What is written: ten signs, of eleven. One more says that nothing was written yet.
const SIGNS: &str = "0123456789-";
const DATE: usize = 10;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Every date from 1950 to 2049 in one of seven ways, and as ISO 8601 has it. Years of two digits are of that century.
fn write(year: usize, month: usize, day: usize, way: usize) -> (String, String) {
    let name = MONTHS[month - 1];
    let (brief, short_year) = (&name[..3], year % 100);
    let ending = match day {
        1 | 21 | 31 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    };
    let human = match way {
        0 => format!("{day} {name} {year}"),
        1 => format!("{name} {day}, {year}"),
        2 => format!("the {day}{ending} of {name}, {year}"),
        3 => format!("{brief} {day} {short_year:02}"),
        4 => format!("{day}. {brief} {year}"),
        5 => format!("{month}/{day}/{short_year:02}"),
        _ => format!("{day}.{month}.{year}"),
    };
    (human, format!("{year}-{month:02}-{day:02}"))
}

/// The places of the letters of a text in an alphabet.
fn code(text: &str, alphabet: &str) -> Vec<i64> {
    text.chars().filter_map(|letter| alphabet.find(letter)).map(|place| place as i64).collect()
}

/// So many human dates [n, 28], and what they mean, [n, 10]. A tenth of all days is kept for the end.
fn draw(n: usize, kept: bool, key: Key) -> Result<(Tensor, Tensor)> {
    let (mut read, mut written) = (Vec::new(), Vec::new());
    let mut numbers = (0u64..).map(|i| uniform_f64(key, i));
    let mut below = |n: usize| (numbers.next().unwrap_or(0.0) * n as f64) as usize;
    while written.len() < n * DATE {
        let (year, month) = (1950 + below(100), 1 + below(12));
        let day = 1 + below(if month == 2 { 28 } else { 30 + (month + month / 8) % 2 });
        // Which days are kept is as good as chance.
        let is_kept = ((year * 400 + month * 32 + day).wrapping_mul(0x9e37_79b9) >> 16) % 10 == 0;
        if is_kept == kept {
            let (human, date) = write(year, month, day, below(7));
            read.extend(code(&format!("{human:LENGTH$}"), LETTERS));
            written.extend(code(&date, SIGNS));
        }
    }
    Ok((Tensor::new(read, [n, LENGTH])?, Tensor::new(written, [n, DATE])?))
}

/// Reads with one network, writes with another, and looks back by attention.
#[derive(Module)]
struct Translator {
    letters: Embedding,
    reader: Bidirectional<GruCell, GruCell>,
    start: Dense,
    signs: Embedding,
    query: Dense,
    key: Dense,
    attention: AdditiveAttention,
    writer: GruCell,
    output: Dense,
}

impl Translator {
    fn new(width: usize) -> Translator {
        Translator {
            letters: Embedding::new(LETTERS.len(), 16),
            reader: Bidirectional::new(GruCell::new(16, width), GruCell::new(16, width)),
            start: Dense::new(width, width),
            signs: Embedding::new(SIGNS.len() + 1, 16),
            query: Dense::new(width, width),
            key: Dense::new(2 * width, width),
            attention: AdditiveAttention::new(width),
            writer: GruCell::new(16 + 2 * width, width),
            output: Dense::new(3 * width, SIGNS.len()),
        }
    }

    /// The scores of every sign, [n, 10, 11], and what was looked at before it was written, [n, 10, 28]. Each sign follows upon the one
    /// before it: of `date` while learning, and otherwise of its own.
    fn translate<'t>(&self, text: Var<'t>, date: Option<Var<'t>>) -> (Var<'t>, Var<'t>) {
        let tape = text.tape();
        let (read, (_, whole)) = self.reader.run(self.letters.forward(text), None);
        let keys = self.key.forward(read);
        let mut state = self.start.forward(whole).tanh();
        let mut sign = tape.full([text.dim(0)], SIGNS.len() as f64, DType::I64);
        let (mut scores, mut looks) = (Vec::new(), Vec::new());
        for place in 0..DATE {
            let query = self.query.forward(state).unsqueeze(1);
            let (seen, look) = self.attention.attend_weighted(query, keys, read, Masks::new());
            let seen = seen.squeeze(1);
            (_, state) = self.writer.run(tape.concat(&[self.signs.forward(sign), seen], -1), state);
            let score = self.output.forward(tape.concat(&[state, seen], -1));
            sign = date.map_or(score.argmax(-1), |date| date.at(1, place));
            scores.push(score);
            looks.push(look.squeeze(1));
        }
        (tape.stack(&scores, 1), tape.stack(&looks, 1))
    }
}

fn main() -> Result<()> {
    let steps = 400;
    let mut model = Translator::new(32).init(Seed(1))?;
    println!("{} weights", model.parameter_count());
    let mut optimizer = Adam::new(5e-3).schedule(warmup(50).then(cosine(steps))).clip_global_norm(1.0);
    let mut losses = Vec::new();
    for step in 0..steps {
        let (text, date) = draw(64, false, Key::new(step))?;
        let tape = Tape::training(step);
        let (text, date) = (tape.input(&text), tape.input(&date));
        let (scores, _) = model.translate(text, Some(date));
        let loss = optimizer.step(&mut model, scores.cross_entropy(date).backward())?;
        losses.push((step as f64, loss));
        if step % (steps / 10) == 0 {
            println!("step {step:4}  loss {loss:.4}");
        }
    }

    let (text, date) = draw(1000, true, Key::new(12345))?;
    let tape = Tape::new();
    let (scores, _) = model.translate(tape.input(&text), None);
    let exact = scores.argmax(-1).eq(&date).all(-1).cast(DType::F64).mean().item::<f64>()?;
    println!("{:.1} % of 1000 dates that it never saw are right", 100.0 * exact);

    // Where it looks: a row for every sign, the first above; a column for every letter.
    let (human, _) = write(1998, 3, 22, 2);
    let tape = Tape::new();
    let text = tape.input(&Tensor::new(code(&format!("{human:LENGTH$}"), LETTERS), [1, LENGTH])?);
    let (scores, looks) = model.translate(text, None);
    let [signs, looks] = tape.eval([scores.argmax(-1), looks.squeeze(0).slice(1, ..human.len())])?;
    let date: String = signs.to_vec::<i64>()?.iter().filter_map(|sign| SIGNS.chars().nth(*sign as usize)).collect();
    println!("{human} → {date}");
    AttentionMap::new(format!("where it looks in `{human}` as it writes `{date}`"), &looks)
        .queries(date.chars())
        .keys(human.chars())
        .save_svg("target/dates/looks.svg")?;
    LineChart::new("learning to read dates").log_y().line("loss", losses).save_svg("target/dates/loss.svg")?;
    println!("drew target/dates/looks.svg and loss.svg");
    Ok(())
}
