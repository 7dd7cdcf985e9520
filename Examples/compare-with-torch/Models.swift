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
    "vgg11": Maker(inputShape: [2, 3, 64, 64]) { models.vgg11() },
    "vgg11_bn": Maker(inputShape: [2, 3, 64, 64]) { models.vgg11BN() },
    "vgg13": Maker(inputShape: [2, 3, 64, 64]) { models.vgg13() },
    "vgg13_bn": Maker(inputShape: [2, 3, 64, 64]) { models.vgg13BN() },
    "vgg16": Maker(inputShape: [2, 3, 64, 64]) { models.vgg16() },
    "vgg16_bn": Maker(inputShape: [2, 3, 64, 64]) { models.vgg16BN() },
    "vgg19": Maker(inputShape: [2, 3, 64, 64]) { models.vgg19() },
    "vgg19_bn": Maker(inputShape: [2, 3, 64, 64]) { models.vgg19BN() },
    "resnet18": Maker(inputShape: [2, 3, 64, 64]) { models.resnet18() },
    "resnet34": Maker(inputShape: [2, 3, 64, 64]) { models.resnet34() },
    "resnet50": Maker(inputShape: [2, 3, 64, 64]) { models.resnet50() },
    "resnet101": Maker(inputShape: [2, 3, 64, 64]) { models.resnet101() },
    "resnet152": Maker(inputShape: [2, 3, 64, 64]) { models.resnet152() },
]
