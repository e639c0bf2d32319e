"""A small GPT that writes Python documentation, character by character: python examples/character_gpt.py --steps 2000

It reads the text that every Python carries (pydoc_data.topics), and is compared with a model that knows only how often one
character follows another. The net is a composition: embedding, positions, a stack of transformer blocks, a norm, a head.
"""

import argparse
import math
import sys
import time
from pydoc_data.topics import topics

import numpy as np

import fnn

TIME, BATCH, DIM, HEADS, BLOCKS = 64, 16, 128, 4, 2

text = "\n\n".join([topics[name] for name in sorted(topics)])
characters = sorted(set(text))
codes = np.array([characters.index(c) for c in text])
cut = len(codes) * 9 // 10
train_codes, test_codes = codes[:cut], codes[cut:]

model = (
    fnn.Embedding(len(characters), DIM)
    >> fnn.LearnedPositions(TIME, DIM)
    >> fnn.stack(BLOCKS, fnn.encoder_block(DIM, HEADS, causal=True))
    >> fnn.LayerNorm(DIM)
    >> fnn.Dense(DIM, len(characters))
)
optimizer = fnn.AdamW(2e-3)
step = fnn.train_step(fnn.supervised(model, fnn.cross_entropy), optimizer)


def batch(key: fnn.Key, source: fnn.Int1, n: int) -> tuple[fnn.Int2, fnn.Int2]:
    """n pieces of the text, and the same pieces one character later."""
    starts = key.generator().integers(0, len(source) - TIME, n)
    pieces = source[starts[:, None] + np.arange(TIME + 1)]
    return pieces[:, :-1], pieces[:, 1:]


def bigram_bits() -> float:
    """Bits per character of the test text, when each character is predicted from the one before it alone."""
    n = len(characters)
    counts = np.bincount(n * train_codes[:-1] + train_codes[1:], minlength=n * n).reshape(n, n) + 0.1
    chance = counts / counts.sum(axis=1, keepdims=True)
    return float(-np.mean(np.log2(chance[test_codes[:-1], test_codes[1:]])))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a small GPT on Python's own documentation.")
    parser.add_argument("--seed", type=int, default=0, help="where all randomness comes from (default: 0)")
    parser.add_argument("--steps", type=int, default=400, help="training steps (default: 400)")
    parser.add_argument("--sample", type=int, default=200, help="characters to write (default: 200)")
    options = parser.parse_args()
    fnn.summary(model, (BATCH, TIME), dtype=np.int64)
    print(f"\n{len(text):,} characters, {len(characters)} different ones\n")

    began = time.perf_counter()
    for_start, for_data, for_test, for_sample = fnn.key(options.seed).split(4)
    ts = fnn.start(model, optimizer, for_start)
    recent = []
    for i in range(1, options.steps + 1):
        ts, loss = step(ts, *batch(for_data.fold(i), train_codes, BATCH))
        recent.append(loss)
        if i % 100 == 0 or i == options.steps:
            print(f"step {i:5}  {np.mean(recent) / math.log(2):.3f} bits per character", flush=True)
            recent = []

    x, y = batch(for_test, test_codes, 256)
    logits = fnn.predict(model, ts.params, ts.state, x, batch_size=32)
    bits = float(fnn.cross_entropy(logits, y)) / math.log(2)
    print(f"\ntest: {bits:.3f} bits per character; the bigram model has {bigram_bits():.3f}")
    print(f"time {time.perf_counter() - began:.1f} s\n")

    written = [characters.index("\n")]
    for i in range(options.sample):
        seen = np.array([written[-TIME:]])
        chance = fnn.softmax(fnn.predict(model, ts.params, ts.state, seen)[0, -1].astype(np.float64) / 0.8)
        written.append(int(for_sample.fold(i).generator().choice(len(chance), p=chance)))
    sys.stdout.write("".join([characters[c] for c in written]) + "\n")


if __name__ == "__main__":
    main()
