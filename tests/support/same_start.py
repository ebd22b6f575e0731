"""The library's first networks in the shape of those of plain_probe."""

from plain_probe import first_network

from dasheng_lib.evaluation.probes.mlp.network import Network
from dasheng_lib.evaluation.probes.mlp.training import Course, first_seed


def same_start(splits, schedule, seed=0):
    """``begin`` of :func:`plain_probe`: the weights and biases that the library begins with."""
    D, C = (x.shape[1] for x in (splits[0].valid.features_ND, splits[0].valid.targets_NC))

    def begin(point, fold):
        ours = Network(point, D, C, schedule.hidden, first_seed(seed, Course(point, fold)))
        return as_plain(ours, point, schedule.dropout)

    return begin


def as_plain(ours, point, dropout=0.0):
    """The same weights in ``nn.Sequential``, a bias in front of BatchNorm where ours has a mean."""
    D, hidden = ours.linears[0].in_features, ours.linears[0].out_features
    C = ours.linears[-1].out_features
    network = first_network(point, D, C, hidden, dropout, seed=0)
    for i, linear in enumerate(ours.linears):
        network[4 * i].weight.data = linear.weight.data.clone()
        bias = ours.linears[-1].bias if i == point.layers else -ours.norms[i].running_mean
        network[4 * i].bias.data = bias.detach().clone()
    return network
