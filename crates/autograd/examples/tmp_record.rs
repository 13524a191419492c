use std::time::Instant;
use wengert_autograd::{Tape, reference};
use wengert_tensor::{dtype::DType, tensor::Tensor};
fn main() {
    let t = Tensor::zeros([32, 10], DType::F32).unwrap();
    let n = 20_000;
    for _ in 0..3 {
        for (name, which) in [("tanh", 0), ("add", 1), ("lit mul", 2), ("reshape", 3), ("add bcast", 4), ("rank0 add",5)] {
            let mut best = f64::MAX;
            for _ in 0..10 {
                let tape = Tape::new();
                let x = tape.input(&t);
                let s = tape.scalar(1.0, DType::F32);
                let row = tape.input(&Tensor::zeros([10], DType::F32).unwrap());
                let t0 = Instant::now();
                let mut y = x;
                let mut z = s;
                for i in 0..n {
                    match which { 0 => y = y.tanh(), 1 => y = y + x, 2 => y = y * 0.5, 3 => y = if i % 2 == 0 { y.reshape([320]) } else { y.reshape([32, 10]) }, 4 => y = y + row, _ => z = z + s }
                }
                best = best.min(t0.elapsed().as_nanos() as f64 / n as f64);
            }
            println!("{name}: {best:.1} ns");
        }
        let mut best = (f64::MAX, f64::MAX);
        for _ in 0..10 {
            let tape = Tape::new();
            let x = tape.scalar(0.5, DType::F32);
            let mut y = x;
            for _ in 0..n / 2 { y = y.tanh() * x; }
            let k = tape.len();
            let t0 = Instant::now();
            let _ = tape.grad(y, x);
            let e = t0.elapsed().as_nanos() as f64;
            best = (best.0.min(e / n as f64), best.1.min(e / (tape.len() - k) as f64));
        }
        println!("grad per fwd op: {:.1} ns, per node {:.1}", best.0, best.1);
        let t0 = Instant::now();
        for _ in 0..1000 { let tape = Tape::new(); let x = tape.input(&t); std::hint::black_box(x.tanh()); }
        println!("tape new+1 op+drop: {:.1} ns", t0.elapsed().as_nanos() as f64 / 1000.0);
    }
    let _ = reference::evaluate(&[]);
}
