"""Where a named encoder runs."""

import pytest
from torch import nn

from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import load_encoder


@pytest.mark.parametrize("name", ["random:nano", "dasheng:nano", "plain:nano", "random:sfnfnet-16"])
def test_a_network_is_moved_before_it_is_frozen(name, monkeypatch):
    moved = []
    to = nn.Module.to
    monkeypatch.setattr(nn.Module, "to", lambda self, *a: moved.append(a) or to(self, "cpu"))
    load_encoder(name, device="cuda:7")
    assert moved[0] == ("cuda:7",)


@pytest.mark.parametrize("name", ["logmel", "wheel:aisfx", "efficientat:mn04", "hear:some.module"])
def test_what_runs_on_the_processor_alone_says_so(name):
    with pytest.raises(UserError, match=f"{name} runs on the CPU alone"):
        load_encoder(name, device="cuda")
