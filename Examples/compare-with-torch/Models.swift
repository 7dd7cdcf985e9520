// The models that can be compared. Add your own here, and give dump.py its counterpart.
import Tapestry
import nn
import vision

/// A model, and the shape of an input that it takes.
struct Maker: Sendable {
    let inputShape: [Int]
    let make: @Sendable () -> nn.Module
}

/// By the name that dump.py knows them under.
let makers: [String: Maker] = [
    "lenet5": Maker(inputShape: [4, 1, 28, 28]) { models.LeNet5() },
    "alexnet": Maker(inputShape: [2, 3, 64, 64]) { models.AlexNet() },
    "resnet18": Maker(inputShape: [2, 3, 64, 64]) { models.resnet18() },
    "resnet34": Maker(inputShape: [2, 3, 64, 64]) { models.resnet34() },
    "resnet50": Maker(inputShape: [2, 3, 64, 64]) { models.resnet50() },
]
