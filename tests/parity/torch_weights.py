"""Records modules of PyTorch for tests/test_torch_weights.py: their weights, an input and the output, in one file.

python -m tests.parity.torch_weights   # with PyTorch and safetensors
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "golden" / "torch_weights.safetensors"


def record() -> None:
    # the test that reads the file does without them
    torch, nn = import_module("torch"), import_module("torch.nn")
    save_file = import_module("safetensors.torch").save_file

    torch.manual_seed(0)

    def first(y: Any) -> Any:
        return y[0] if isinstance(y, tuple) else y

    images, tokens = torch.randn(2, 4, 6, 5), torch.randn(2, 7, 4)
    modules: dict[str, tuple[Any, Any, Callable[[Any], Any]]] = {
        "linear": (nn.Linear(4, 3), torch.randn(5, 4), first),
        "linear_without_bias": (nn.Linear(4, 3, bias=False), torch.randn(5, 4), first),
        "conv1d": (nn.Conv1d(4, 3, 3), torch.randn(2, 4, 6), first),
        "conv2d": (nn.Conv2d(4, 6, (3, 2), groups=2), images, first),
        "conv2d_without_bias": (nn.Conv2d(4, 3, 3, bias=False), images, first),
        "conv3d": (nn.Conv3d(2, 3, (2, 1, 2)), torch.randn(1, 2, 3, 4, 3), first),
        "conv_transpose1d": (nn.ConvTranspose1d(4, 3, 3, stride=2), torch.randn(2, 4, 5), first),
        "conv_transpose2d": (nn.ConvTranspose2d(4, 6, (3, 2), stride=2, groups=2), images, first),
        "embedding": (nn.Embedding(9, 4), torch.randint(0, 9, (2, 5)), first),
        "layer_norm": (nn.LayerNorm(4), tokens, first),
        "group_norm": (nn.GroupNorm(2, 4), images, first),
        "rms_norm": (nn.RMSNorm(4, eps=1e-6), tokens, first),
        "batch_norm": (nn.BatchNorm2d(4), images, first),
        "rnn": (nn.RNN(4, 5, batch_first=True), tokens, first),
        "lstm": (nn.LSTM(4, 5, num_layers=2, bidirectional=True, batch_first=True), tokens, first),
        "lstm_without_bias": (nn.LSTM(4, 5, bias=False, batch_first=True), tokens, first),
        "gru": (nn.GRU(4, 5, batch_first=True), tokens, first),
        "attention": (nn.MultiheadAttention(4, 2, batch_first=True), tokens, first),
    }
    recorded: dict[str, Any] = {}
    with torch.no_grad():
        for name, (module, x, pick) in modules.items():
            for weight in module.state_dict().values():
                if weight.dtype == torch.float32 and not weight.abs().sum():  # biases that PyTorch begins with zero
                    weight.normal_()
            if name == "batch_norm":
                module(2 * x + 1)
            module.eval()
            given = (x, x, x) if name == "attention" else (x,)
            recorded |= {f"{name}.module.{key}": value.clone() for key, value in module.state_dict().items()}
            recorded |= {f"{name}.x": x.clone(), f"{name}.y": pick(module(*given)).contiguous()}
    save_file(recorded, FILE)
    print(f"{FILE}: {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    record()
