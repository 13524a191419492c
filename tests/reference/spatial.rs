//! Images: convolutions, pools, patches, other sizes.

use wengert::prelude::*;

pub(crate) fn apply<'t>(_: &'t Tape, name: &str, x: &[Var<'t>]) -> Option<Var<'t>> {
    let a = *x.first()?;
    let (word, rest) = name.split_once(' ').unwrap_or((name, ""));
    Some(match word {
        "conv" => a.conv(x[1], conv(rest)?),
        "conv_transpose" => a.conv_transpose(x[1], conv_transpose(rest)?),
        "max_pool" => a.max_pool(pool(rest)?),
        "avg_pool" => match rest.strip_suffix(" uncounted") {
            Some(rest) => a.avg_pool(pool(rest)?.count_include_pad(false)),
            None => a.avg_pool(pool(rest)?),
        },
        "interpolate" => a.interpolate(resize(rest)?),
        "adaptive_max_pool" => a.adaptive_max_pool(parts(rest)?),
        "adaptive_avg_pool" => a.adaptive_avg_pool(parts(rest)?),
        _ => match name {
            "lp_pool 1d" => a.lp_pool(2.0, Pool::new(3).stride(2)),
            "lp_pool 1d of 3" => a.lp_pool(3.0, 2),
            "lp_pool 2d" => a.lp_pool(4.0, Pool::new([2, 3]).stride(1)),
            "lp_pool 2d padded" => a.lp_pool(2.0, Pool::new(3).stride(2).padding(1)),
            "lp_pool 3d" => a.lp_pool(2.0, Pool::new(2).stride(1)),
            "unfold" => a.unfold([2, 3], Conv::new()),
            "unfold all" => a.unfold([3, 2], all_of_patches()),
            "unfold 1d" => a.unfold([3], Conv::new().stride(2)),
            "fold" => a.fold([4, 5], [2, 3], Conv::new()),
            "fold all" => a.fold([6, 5], [3, 2], all_of_patches()),
            "fold 1d" => a.fold([5], [2], Conv::new()),
            "pixel_shuffle" => a.pixel_shuffle(2),
            "pixel_unshuffle" => a.pixel_unshuffle(3),
            _ => return None,
        },
    })
}

fn conv(name: &str) -> Option<Conv> {
    let new = Conv::new();
    Some(match name {
        "1d" | "2d" | "2d of 1" | "3d" => new,
        "1d strided" => new.stride(2).padding(1),
        "1d dilated" => new.dilation(2).padding(2),
        "1d grouped" => new.groups(2).padding(1),
        "1d by channel" => new.groups(3),
        "1d same" => new.padding(Padding::Same),
        "1d same dilated" => new.padding(Padding::Same).dilation(3),
        "1d on one side" => new.padding([(2, 0)]),
        "2d strided" => new.stride([2, 1]).padding([1, 0]),
        "2d dilated" => new.dilation([3, 2]).padding([0, 2]),
        "2d grouped" => new.groups(2).padding(1),
        "2d all" => new.stride([2, 3]).padding([2, 1]).dilation([1, 2]).groups(2),
        "2d reflect" => new.padding([1, 2]).pad_mode(PadMode::Reflect),
        "2d replicate" => new.padding([1, 2]).pad_mode(PadMode::Replicate),
        "2d circular" => new.padding([1, 2]).pad_mode(PadMode::Circular),
        "3d all" => new.stride([2, 1, 2]).padding([1, 2, 0]).dilation([2, 1, 1]).groups(2),
        _ => return None,
    })
}

fn conv_transpose(name: &str) -> Option<Conv> {
    let new = Conv::new();
    Some(match name {
        "1d" | "2d" | "3d" => new,
        "1d strided" => new.stride(2).padding(1).output_padding(1),
        "1d dilated" => new.dilation(2).padding(2),
        "1d grouped" => new.groups(2).stride(3),
        "1d with gaps" => new.stride(3).output_padding(2),
        "2d strided" => new.stride(2).padding(1).output_padding([1, 0]),
        "2d all" => new.stride([3, 2]).padding([2, 1]).output_padding([2, 1]).dilation([2, 1]).groups(2),
        "3d all" => new.stride([2, 1, 2]).padding([1, 0, 1]).output_padding([1, 0, 1]).groups(2),
        _ => return None,
    })
}

fn pool(name: &str) -> Option<Pool> {
    Some(match name {
        "1d" | "2d" | "3d" => Pool::new(2),
        "1d overlapping" => Pool::new(3).stride(2).padding(1),
        "1d ceil" => Pool::new(3).stride(2).padding(1).ceil_mode(true),
        "1d ceil beyond" => Pool::new(2).stride(3).padding(1).ceil_mode(true),
        "1d dilated" => Pool::new(3).stride(1).padding(1).dilation(2),
        "2d overlapping" => Pool::new([3, 2]).stride([2, 1]).padding(1),
        "2d ceil" => Pool::new(3).stride(2).ceil_mode(true),
        "2d dilated" => Pool::new(2).stride([2, 1]).padding(1).dilation([1, 3]).ceil_mode(true),
        "3d overlapping" => Pool::new([2, 3, 2]).stride([1, 2, 2]).padding([1, 1, 0]).ceil_mode(true),
        _ => return None,
    })
}

fn parts(name: &str) -> Option<&'static [usize]> {
    Some(match name {
        "1d 7" => &[3],
        "1d 3" => &[5],
        "2d 7x5" => &[3, 2],
        "2d 4x6" => &[2, 2],
        "2d 3x4" => &[1, 1],
        "3d 3x5x4" => &[2, 3, 2],
        _ => return None,
    })
}

fn resize(name: &str) -> Option<Resize> {
    if let Some((name, factor)) = name.split_once(" by ") {
        let by = match factor {
            "each" => Resize::by_each([1.3, 0.7]),
            _ => Resize::by(factor.parse().ok()?),
        };
        return between(name, by);
    }
    let to = match name {
        "nearest 1d up" | "linear 1d up" | "linear 1d corners" => Resize::to(8),
        "nearest 1d down" | "linear 1d down" => Resize::to(3),
        "nearest 2d twice" | "linear 2d twice" | "cubic 2d twice" => Resize::by(2.0),
        "linear 2d" | "linear 2d corners" | "cubic 2d" | "cubic 2d corners" => Resize::to([7, 3]),
        "nearest 3d" => Resize::to([3, 2, 5]),
        "linear 3d" | "linear 3d corners" => Resize::to([3, 4, 3]),
        _ => return None,
    };
    between(name, to)
}

fn between(name: &str, resize: Resize) -> Option<Resize> {
    let resize = resize.align_corners(name.ends_with(" corners"));
    Some(match name.split(' ').next()? {
        "nearest" => resize.nearest(),
        "linear" => resize.linear(),
        "cubic" => resize.cubic(),
        _ => return None,
    })
}

fn all_of_patches() -> Conv {
    Conv::new().stride([2, 1]).padding([1, 2]).dilation([1, 2])
}
