//! Where is a function flat, and how does it bend there? First and second derivatives on a grid, and a walk downhill.
//!
//! `cargo run --release --example curvature`

use wengert::prelude::*;

/// Of one variable.
fn f<'t>(x: Var<'t>) -> Var<'t> {
    3.0 * x.powi(5) - 5.0 * x.powi(3)
}

/// Of two variables.
fn g<'t>(x: Var<'t>, y: Var<'t>) -> Var<'t> {
    x.powi(3) - 3.0 * x + y.powi(3) - 3.0 * y
}

fn main() -> Result<()> {
    one_variable()?;
    two_variables()
}

fn one_variable() -> Result<()> {
    let grid = Tensor::from_fn([121], |i| i as f64 / 40.0 - 1.5)?;
    let [y, slope, bend, _] = curve(&grid)?;

    // Newton's method on the slope, from every point of the grid at once: x ← x − f′/f″.
    let mut x = grid.clone();
    for _ in 0..60 {
        let [_, slope, bend, _] = curve(&x)?;
        let tape = Tape::new();
        let (x_, slope, bend) = (tape.input(&x), tape.input(&slope), tape.input(&bend));
        x = (x_ - (slope / bend).select(bend.ne(0.0), 0.0)).value()?;
    }
    let inside = x.to_f64_vec().into_iter().filter(|x| x.abs() < 1.5);
    let mut flat: Vec<f64> = inside.map(|x| (x * 1e9).round() / 1e9 + 0.0).collect();
    flat.sort_by(f64::total_cmp);
    flat.dedup_by(|a, b| (*a - *b).abs() < 1e-3);

    println!("f(x) = 3x⁵ − 5x³ is flat at");
    let [height, _, second, third] = curve(&Tensor::from(flat.clone()))?.map(|values| values.to_f64_vec());
    for i in 0..flat.len() {
        let kind = match second[i] {
            bend if bend > 1e-6 => "minimum",
            bend if bend < -1e-6 => "maximum",
            _ if third[i].abs() > 1e-6 => "inflection",
            _ => "higher derivatives must say",
        };
        println!("  x = {:7.4}   f = {:7.4}   f″ = {:8.3}   {kind}", flat[i], height[i], second[i]);
    }

    let points = |y: &Tensor| grid.to_f64_vec().into_iter().zip(y.to_f64_vec()).collect::<Vec<_>>();
    LineChart::new("3x⁵ − 5x³ and its derivatives")
        .line("f", points(&y))
        .line("f′ ÷ 4", points(&slope.apply(|v| v / 4.0)?))
        .line("f″ ÷ 20", points(&bend.apply(|v| v / 20.0)?))
        .points("f′ = 0", flat.iter().copied().zip(height))
        .save_svg("target/curvature/one.svg")
}

/// f, f′, f″ and f‴ at every point. Summing first gives the derivatives of all points by one call.
fn curve(x: &Tensor) -> Result<[Tensor; 4]> {
    let tape = Tape::new();
    let x = tape.input(x);
    let y = f(x);
    let [slope] = tape.grad(y.sum(), [x]);
    let [bend] = tape.grad(slope.sum(), [x]);
    let [third] = tape.grad(bend.sum(), [x]);
    tape.eval([y, slope, bend, third])
}

fn two_variables() -> Result<()> {
    // Newton's method on the gradient, from a grid of 11 × 11 points: p ← p − H⁻¹ ∇g, with the 2 × 2 inverse by hand.
    let mut x = Tensor::from_fn([121], |i| (i % 11) as f64 / 2.75 - 2.0)?;
    let mut y = Tensor::from_fn([121], |i| (i / 11) as f64 / 2.75 - 2.0)?;
    for _ in 0..40 {
        let tape = Tape::new();
        let (vx, vy) = (tape.input(&x), tape.input(&y));
        let [gx, gy, hxx, hxy, hyy] = gradient_and_hessian(vx, vy);
        let det = hxx * hyy - hxy * hxy;
        let steps = [hyy * gx - hxy * gy, hxx * gy - hxy * gx].map(|v| (v / det).select(det.ne(0.0), 0.0));
        [x, y] = tape.eval([vx - steps[0], vy - steps[1]])?;
    }
    let mut flat: Vec<(f64, f64)> = x.to_f64_vec().into_iter().zip(y.to_f64_vec()).collect();
    flat.retain(|(x, y)| x.abs() < 2.0 && y.abs() < 2.0);
    flat.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    flat.dedup_by(|a, b| (a.0 - b.0).abs() + (a.1 - b.1).abs() < 1e-6);

    println!("g(x, y) = x³ − 3x + y³ − 3y is flat at");
    let mut kinds = [("minimum", vec![]), ("maximum", vec![]), ("saddle", vec![])];
    for &(x, y) in &flat {
        let tape = Tape::new();
        let [_, _, hxx, hxy, hyy] = gradient_and_hessian(tape.scalar(x, DType::F64), tape.scalar(y, DType::F64));
        let [det, hxx] = tape.eval([hxx * hyy - hxy * hxy, hxx])?;
        // Two curvatures of one sign, or of two.
        let kind = match (det.item::<f64>()? > 0.0, hxx.item::<f64>()? > 0.0) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => 2,
        };
        println!("  ({x:7.4}, {y:7.4})   det H = {det:6.1}   {}", kinds[kind].0);
        kinds[kind].1.push((x, y));
    }

    let n = 81;
    let xs = Tensor::from_fn([1, n], |i| i as f64 / 20.0 - 2.0)?;
    let ys = Tensor::from_fn([n, 1], |i| i as f64 / 20.0 - 2.0)?;
    let tape = Tape::new();
    let heights = g(tape.input(&xs), tape.input(&ys)).value()?;
    let mut map = HeatMap::new("x³ − 3x + y³ − 3y", &heights, -2.0..2.0, -2.0..2.0)?.contours(14);
    for rate in [0.01, 0.1, 0.3] {
        let path = descend((-0.7, 1.8), rate)?;
        println!("gradient descent with rate {rate}: {} steps to {:.4?}", path.len() - 1, path[path.len() - 1]);
        map = map.path(format!("rate {rate}"), path);
    }
    for (kind, points) in kinds {
        map = map.points(kind, points);
    }
    map.save_svg("target/curvature/two.svg")?;
    println!("drew target/curvature/one.svg and two.svg");
    Ok(())
}

/// ∂g/∂x, ∂g/∂y, and the three different entries of the Hessian.
fn gradient_and_hessian<'t>(x: Var<'t>, y: Var<'t>) -> [Var<'t>; 5] {
    let tape = x.tape();
    let [gx, gy] = tape.grad(g(x, y).sum(), [x, y]);
    let [hxx, hxy] = tape.grad(gx.sum(), [x, y]);
    let [hyy] = tape.grad(gy.sum(), [y]);
    [gx, gy, hxx, hxy, hyy]
}

/// p ← p − rate × ∇g, until the ground is level.
fn descend(start: (f64, f64), rate: f64) -> Result<Vec<(f64, f64)>> {
    let mut path = vec![start];
    let mut p = Tensor::from([start.0, start.1]);
    while path.len() < 2000 {
        let tape = Tape::new();
        let v = tape.input(&p);
        let [slope] = tape.grad(g(v.slice(0, 0..1), v.slice(0, 1..2)).sum(), [v]);
        let [next, steep] = tape.eval([v - rate * slope, slope.square().sum().sqrt()])?;
        if steep.item::<f64>()? < 1e-6 {
            break;
        }
        p = next;
        let at = p.to_f64_vec();
        path.push((at[0], at[1]));
    }
    Ok(path)
}
