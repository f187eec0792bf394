"""Weights as PyTorch saves them, and what its layers answer: ``python tests/golden/make_torch_files.py``.

Needs torch and safetensors. ``torch/<model>.safetensors`` is a state dict as
``safetensors.torch.save_file`` writes it; ``torch/answers.safetensors`` has an input and the outputs of
each model.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def main():
    sys.path.insert(0, str(HERE.parent))
    import torch
    from golden.torch_models import MODELS, flat, input_of
    from safetensors.torch import save_file

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    folder, answers = HERE / "torch_files", {}
    folder.mkdir(exist_ok=True)
    for name, build in MODELS.items():
        model = build(torch.nn).eval()
        save_file(model.state_dict(), folder / f"{name}.safetensors", {"format": "pt"})
        x = torch.tensor(input_of(name, rng))
        answers[f"{name}.x"] = x
        with torch.no_grad():
            for k, y in enumerate(flat(model(x))):
                answers[f"{name}.y{k}"] = y.contiguous()
    save_file(answers, folder / "answers.safetensors", {"made with": f"torch {torch.__version__}"})
    print(
        sum(file.stat().st_size for file in folder.iterdir()), "bytes in", len(MODELS) + 1, "files"
    )


if __name__ == "__main__":
    main()
