import pytest

torch = pytest.importorskip("torch")

from relume.nets.retinexnet import DecomNet, EnhanceNet, RetinexNet  # noqa: E402


def parameters(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_parameter_counts_are_those_of_the_paper_and_of_the_port() -> None:
    assert parameters(DecomNet()) == 207_748
    assert parameters(EnhanceNet()) == 236_865
    assert parameters(RetinexNet()) == 444_613
    assert parameters(RetinexNet(skips="concat", padding="replicate")) == 555_205


@pytest.mark.parametrize("skips", ["add", "concat"])
@pytest.mark.parametrize(("height", "width"), [(48, 48), (40, 56), (33, 47)])
def test_shapes_and_ranges(skips: str, height: int, width: int) -> None:
    torch.manual_seed(0)
    net = RetinexNet(skips=skips).eval()
    with torch.no_grad():
        reflectance, illumination, relit = net(torch.rand(2, 3, height, width))
    assert reflectance.shape == (2, 3, height, width)
    assert illumination.shape == relit.shape == (2, 1, height, width)
    for plane in (reflectance, illumination):
        assert plane.min() > 0
        assert plane.max() < 1


def test_decomposition_shares_its_weights_between_photos() -> None:
    torch.manual_seed(0)
    net = DecomNet().eval()
    low, high = torch.rand(2, 1, 3, 16, 16)
    with torch.no_grad():
        together = net(torch.cat([low, high]))
        alone = net(high)
    torch.testing.assert_close(together[0][1:], alone[0])


def test_first_convolution_has_no_activation() -> None:
    net = DecomNet().eval()
    with torch.no_grad():
        net.shallow.weight.zero_()
        net.shallow.bias.fill_(-1.0)
        seen = []
        net.body[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        net(torch.rand(1, 3, 8, 8))
    assert float(seen[0].max()) == -1.0


def test_relit_illumination_is_unbounded() -> None:
    net = EnhanceNet().eval()
    with torch.no_grad():
        net.head.bias.fill_(5.0)
        relit = net(torch.rand(1, 3, 16, 16), torch.rand(1, 1, 16, 16))
    assert float(relit.max()) > 1
