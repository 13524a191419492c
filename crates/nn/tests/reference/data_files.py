"""Files of other programs, for the readers: `python data_files.py` writes the folder `data`. Needs numpy, pillow and tokenizers.

The arrays are `arange(12) - 3` in `[3, 4]`, in every dtype, order and version; what the pictures show is beside them as raw bytes.
"""

import os
import numpy as np
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "data"))

numbers = np.arange(12).reshape(3, 4) - 3
arrays = {}
for kind in ["f2", "f4", "f8", "i1", "i2", "i4", "i8"]:
    for order in "<>":
        arrays[f"{kind}_{'little' if order == '<' else 'big'}"] = numbers.astype(order + kind)
for kind in ["u1", "u2", "u4", "u8"]:
    arrays[kind] = (numbers + 3).astype(">" + kind)
arrays["b1"] = numbers > 2
arrays["fortran"] = np.asfortranarray(numbers.astype("f4"))
arrays["scalar"] = np.float64(-2.5)
arrays["empty"] = np.zeros((2, 0, 3), "f4")
np.savez("arrays.npz", **arrays)
np.savez_compressed("compressed.npz", zeros=np.zeros((100, 100)), numbers=numbers)
with open("version2.npy", "wb") as file:
    np.lib.format.write_array(file, numbers.astype("f4"), version=(2, 0))
with open("version3.npy", "wb") as file:
    np.lib.format.write_array(file, np.asfortranarray(numbers.astype(">i2")), version=(3, 0))
np.save("record.npy", np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]))
np.save("object.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
np.save("complex.npy", np.zeros(2, "c8"))
np.save("text.npy", np.array(["ab", "c"]))

draw = np.random.default_rng(7)
y, x = np.mgrid[0:19, 0:23]
rgb = np.stack([x * 11, y * 13, (x * y) % 256], -1).astype("u1")
Image.fromarray(rgb).save("rgb.png")
Image.fromarray(rgb).convert("L").save("gray.png")
Image.fromarray(np.concatenate([rgb, rgb[:, :, :1]], -1)).save("rgba.png")
Image.fromarray(rgb).quantize(16).save("palette.png")
Image.fromarray((rgb[:, :, 0] > 99)).save("bits.png")
Image.fromarray((rgb[:, :, 0].astype("u2") * 257)).save("deep.png")
smooth = np.stack([x * 10, y * 12, 120 + x * 2 - y * 3], -1).astype("u1")
Image.fromarray(smooth).save("smooth.jpg", quality=95, subsampling=0)
Image.fromarray(smooth).save("subsampled.jpg", quality=90, subsampling=2)
Image.fromarray(smooth).save("progressive.jpg", quality=90, progressive=True)
Image.fromarray(smooth).convert("L").save("gray.jpg", quality=90)
Image.fromarray(smooth).convert("CMYK").save("cmyk.jpg", quality=90)
pictures = {}
for name in ["rgb.png", "gray.png", "rgba.png", "palette.png", "bits.png", "smooth.jpg", "subsampled.jpg", "progressive.jpg", "gray.jpg"]:
    pictures[name] = np.asarray(Image.open(name).convert("RGB")).transpose(2, 0, 1)
pictures["luma"] = np.asarray(Image.open("rgb.png").convert("L"))
np.savez_compressed("pictures.npz", **pictures)

text = open("../data_files.py").read()
bpe = Tokenizer(models.BPE())
bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
bpe.decoder = decoders.ByteLevel()
alphabet = pre_tokenizers.ByteLevel.alphabet()
bpe.train_from_iterator([text], trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False))
bpe.save("tokenizer.json")
np.save("tokens.npy", np.array(bpe.encode(text).ids))
