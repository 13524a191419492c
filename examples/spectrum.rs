//! How curved is the loss of a trained network? The eigenvalues of a Hessian that is never formed.
//!
//! The method of Lanczos needs products H v only, and `hvp` gives them for the price of two gradients. Most directions turn out to be flat.
//! Ghorbani et al. 2019. `cargo run --release --example spectrum`

use wengert::prelude::*;

const TURNS: usize = 80;

fn main() -> Result<()> {
    let data = read_csv(concat!(env!("CARGO_MANIFEST_DIR"), "/data/iris.csv"), "species")?;
    let mut net =
        Sequential::input([4]).standardize(&data.0).dense(16).tanh().dense(3).build(Seed(1))?.with_dtype(DType::F64)?;
    let data = (data.0.cast(DType::F64)?, data.1);
    let mut spectra = Vec::new();
    for (when, epochs) in [("at the start", 0), ("after training", 200)] {
        if epochs > 0 {
            let trainer = Trainer::new(Adam::new(1e-2), CrossEntropy::new()).metric(Accuracy::new());
            println!("{}", trainer.epochs(epochs).verbose(false).fit(&mut net, &data)?);
        }
        let values = eigenvalues(&net, &data)?;
        let n = net.parameter_count();
        let flat = values.iter().filter(|(value, _)| value.abs() < 1e-3).map(|(_, weight)| weight).sum::<f64>();
        let (steepest, _) = values[values.len() - 1];
        println!("{when}: {n} directions, the steepest {steepest:.3}, {:.0} % of them flat", flat * 100.0);
        spectra.push((when, values));
    }

    // The largest eigenvalue is also what repeated multiplication by H grows by.
    let steepest = spectra[1].1[spectra[1].1.len() - 1].0;
    println!("power iteration finds {:.3} for the steepest", power_iteration(&net, &data)?);
    let mut chart =
        LineChart::new("eigenvalues of the Hessian, and the share of directions below them").x_label("eigenvalue");
    for (when, values) in spectra {
        let mut below = 0.0;
        let steps = values.into_iter().map(|(value, weight)| {
            below += weight;
            (value, below)
        });
        chart = chart.line(when, steps.collect::<Vec<_>>());
    }
    assert!(steepest > 0.0);
    chart.save_svg("target/spectrum/spectrum.svg")?;
    println!("drew target/spectrum/spectrum.svg");
    Ok(())
}

/// H v, for one vector over all weights: ∇(∇L · v).
fn product(net: &Sequential, data: &(Tensor, Tensor), v: &Tensor) -> Result<Tensor> {
    let tape = Tape::new();
    let gradients = net.forward(tape.input(&data.0)).cross_entropy(&data.1).grad_of(net);
    let weights: Vec<Var<'_>> = net.parameters().iter().map(|(_, param)| param.on(&tape)).collect();
    let gradients: Vec<Var<'_>> = gradients.iter().map(|(_, g)| g).collect();
    flat(&tape.grad((flat(&gradients) * v).sum(), &weights)).value()
}

/// All elements of all parts, one after another.
fn flat<'t>(parts: &[Var<'t>]) -> Var<'t> {
    let flat: Vec<Var<'t>> = parts.iter().map(|part| part.flatten()).collect();
    parts[0].tape().concat(&flat, 0)
}

/// Estimates of the eigenvalues, ascending, each with the share of all directions that it stands for: stochastic Lanczos quadrature.
fn eigenvalues(net: &Sequential, data: &(Tensor, Tensor)) -> Result<Vec<(f64, f64)>> {
    let n = net.parameter_count();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let unit = |v: Vec<f64>| {
        let norm = dot(&v, &v).sqrt();
        v.into_iter().map(|x| x / norm).collect::<Vec<f64>>()
    };
    let mut basis = vec![unit(Tensor::normal([n], DType::F64, Seed(3))?.to_f64_vec())];
    let mut tridiagonal = vec![vec![0.0; TURNS]; TURNS];
    for k in 0..TURNS {
        let mut next = product(net, data, &Tensor::new(&basis[k], [n])?)?.to_f64_vec();
        tridiagonal[k][k] = dot(&next, &basis[k]);
        // Twice, for what rounding leaves.
        for _ in 0..2 {
            for old in &basis {
                let share = dot(&next, old);
                next.iter_mut().zip(old).for_each(|(x, y)| *x -= share * y);
            }
        }
        if k + 1 < TURNS {
            let norm = dot(&next, &next).sqrt();
            (tridiagonal[k][k + 1], tridiagonal[k + 1][k]) = (norm, norm);
            basis.push(unit(next));
        }
    }
    let mut values = jacobi(tridiagonal);
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(values)
}

/// Eigenvalues of a small symmetric matrix, each with the square of its eigenvector's first element, by rotations.
fn jacobi(mut a: Vec<Vec<f64>>) -> Vec<(f64, f64)> {
    let n = a.len();
    let mut first = vec![0.0; n];
    first[0] = 1.0;
    for _ in 0..20 {
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q].abs() < 1e-14 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let (c, s) = (1.0 / (t * t + 1.0).sqrt(), t / (t * t + 1.0).sqrt());
                for row in &mut a {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                let (above, below) = a.split_at_mut(q);
                for (x, y) in above[p].iter_mut().zip(&mut below[0]) {
                    (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                }
                (first[p], first[q]) = (c * first[p] - s * first[q], s * first[p] + c * first[q]);
            }
        }
    }
    (0..n).map(|i| (a[i][i], first[i] * first[i])).collect()
}

fn power_iteration(net: &Sequential, data: &(Tensor, Tensor)) -> Result<f64> {
    let mut v = Tensor::ones([net.parameter_count()], DType::F64)?.apply(|v| v / v.norm())?;
    let mut growth = 0.0;
    for _ in 0..200 {
        let hv = product(net, data, &v)?;
        growth = hv.apply(|hv| hv.dot(&v))?.item()?;
        v = hv.apply(|hv| hv / hv.norm())?;
    }
    Ok(growth)
}
