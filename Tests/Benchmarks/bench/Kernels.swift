// Benchmarks of single kernels, called through the kernel tables as the engine calls them.
import Kernels
import Tapestry

/// Scalars for kernels to work on: random, of modest size.
private final class Operand {
    let pointer: UnsafeMutableRawPointer
    private let count: Int

    init(_ count: Int) {
        self.count = count
        guard let memory = BufferPool.take(count * 4) else { fatalError("out of memory: \(count * 4) bytes") }
        pointer = memory
        let scalars = memory.bindMemory(to: Float.self, capacity: count)
        var state: UInt32 = 12345
        for index in 0..<count {
            state = state &* 1_664_525 &+ 1_013_904_223
            scalars[index] = Float(state >> 8) / Float(1 << 23) - 1
        }
    }
    deinit { BufferPool.give(pointer, count * 4) }

    var read: UnsafeRawPointer { UnsafeRawPointer(pointer) }
}

extension Workload {
    /// The group names that `kernels(_:)` knows.
    static let groups = ["conv", "gemm", "pool", "elementwise"]

    /// Names of the benchmarks of a group, by default or for the given shapes.
    static func kernelNames(_ group: String, shapes: [String]) -> [String] {
        switch group {
        case "conv":
            (shapes.isEmpty ? convolutionShapes : shapes).flatMap { shape in
                ["forward", "weights", "data"].map { "conv/\(shape)/\($0)" }
            }
        case "gemm": (shapes.isEmpty ? matrixShapes : shapes).map { "gemm/\($0)" }
        case "pool":
            (shapes.isEmpty ? poolShapes : shapes).flatMap { shape in
                ["forward", "backward"].map { "pool/\(shape)/\($0)" }
            }
        default:
            (shapes.isEmpty ? ["1000000"] : shapes).flatMap { count in
                elementwiseKernels.map { "elementwise/\($0)/\(count)" }
            }
        }
    }

    /// N,C,H,O,K,pad,stride: the layers of the tutorials' models and of residual networks.
    private static let convolutionShapes = [
        "50,1,28,16,5,2,1", "50,16,14,32,5,2,1", "32,1,28,32,3,1,1", "32,32,28,64,3,1,1", "128,3,32,16,5,0,1",
        "128,16,14,32,5,0,1", "32,64,7,64,3,1,1", "16,64,56,64,3,1,1", "16,128,28,128,3,1,1", "16,256,14,256,3,1,1",
        "16,512,7,512,3,1,1", "8,3,224,64,7,3,2", "16,64,56,128,3,1,2", "16,64,56,64,1,0,1",
    ]
    /// m,k,n and which factor is transposed: a large square, the fully connected layers forward and both gradients.
    private static let matrixShapes = [
        "1024,1024,1024", "512,512,512", "50,1568,10,nt", "50,10,1568,nn", "10,50,1568,tn", "100,4320,100,nt",
        "100,100,4320,nn", "100,100,4320,tn", "32,12544,128,nt", "32,128,12544,nn", "128,32,12544,tn", "1,784,128,nt",
    ]
    /// N,C,H,K,stride.
    private static let poolShapes = ["50,16,28,2,2", "50,32,14,2,2", "128,32,10,2,2", "8,64,112,3,2"]
    private static let elementwiseKernels = [
        "add", "mul", "relu", "reluBackward", "exp", "tanh", "sigmoid", "sum", "sgd", "adam",
    ]

    /// The benchmark of a name that `kernelNames` gives: `conv/SHAPE/PASS`, `gemm/SHAPE`, …; nil if it makes no sense.
    static func kernel(_ name: String) -> Workload? {
        let parts = name.split(separator: "/").map(String.init)
        guard parts.count >= 2 else { return nil }
        let fields = parts[1].split(separator: ",").map(String.init)
        let numbers = fields.compactMap { Int($0) }
        switch (parts[0], parts.count) {
        case ("conv", 3) where numbers.count == 7: return convolution(name, numbers, pass: parts[2])
        case ("gemm", 2) where numbers.count == 3:
            return matrixProduct(name, numbers, transposed: fields.count > 3 ? fields[3] : "nn")
        case ("pool", 3) where numbers.count == 5: return pooling(name, numbers, backward: parts[2] == "backward")
        case ("elementwise", 3): return Int(parts[2]).flatMap { elementwise(name, parts[1], count: $0) }
        default: return nil
        }
    }

    private static func convolution(_ name: String, _ n: [Int], pass: String) -> Workload? {
        let shape = ConvolutionShape(
            batch: n[0], inChannels: n[1], height: n[2], width: n[2], outChannels: n[3], kernelHeight: n[4],
            kernelWidth: n[4], strideHeight: n[6], strideWidth: n[6], padTop: n[5], padBottom: n[5], padLeft: n[5],
            padRight: n[5])
        guard n.allSatisfy({ $0 >= 0 }), n[6] > 0, shape.multiplications > 0 else { return nil }
        let x = Operand(n[0] * n[1] * n[2] * n[2])
        let w = Operand(n[3] * n[1] * n[4] * n[4])
        let y = Operand(n[0] * n[3] * shape.outHeight * shape.outWidth)
        let bias = Operand(n[3])
        let table = Engine.float
        let step: () -> Void
        switch pass {
        case "forward": step = { table.convolutionForward(shape, x.read, w.read, bias.read, false, y.pointer) }
        case "weights": step = { table.convolutionBackwardWeights(shape, x.read, y.read, w.pointer, bias.pointer) }
        case "data": step = { table.convolutionBackwardData(shape, y.read, w.read, x.pointer) }
        default: return nil
        }
        return Workload(name: name, items: n[0], operations: 2 * shape.multiplications, step: step)
    }

    private static func matrixProduct(_ name: String, _ n: [Int], transposed: String) -> Workload? {
        guard n.allSatisfy({ $0 > 0 }), ["nn", "nt", "tn", "tt"].contains(transposed) else { return nil }
        let (m, k, n) = (n[0], n[1], n[2])
        let (a, b, c) = (Operand(m * k), Operand(k * n), Operand(m * n))
        let (left, right) = (transposed.hasPrefix("t"), transposed.hasSuffix("t"))
        let arguments = GEMMArguments(
            m: m, n: n, k: k, a: a.read, aRow: left ? 1 : k, aColumn: left ? m : 1, b: b.read, bRow: right ? 1 : n,
            bColumn: right ? k : 1, c: c.pointer, cRow: n)
        return Workload(name: name, operations: 2 * m * n * k) {
            withExtendedLifetime((a, b, c)) { Engine.float.gemm(arguments) }
        }
    }

    private static func pooling(_ name: String, _ n: [Int], backward: Bool) -> Workload? {
        guard n.allSatisfy({ $0 > 0 }), n[3] <= n[2] else { return nil }
        let pad = n[3] > n[4] ? n[3] / 2 : 0
        let out = (n[2] + 2 * pad - n[3]) / n[4] + 1
        let shape = PoolingShape(
            planes: n[0] * n[1], height: n[2], width: n[2], kernelHeight: n[3], kernelWidth: n[3], strideHeight: n[4],
            strideWidth: n[4], padTop: pad, padLeft: pad, outHeight: out, outWidth: out)
        let (inputs, outputs) = (shape.planes * n[2] * n[2], shape.planes * out * out)
        let (x, y, winners) = (Operand(inputs), Operand(outputs), Operand(shape.winnerBytes / 4 + 1))
        let table = Engine.float
        let bytes = 4 * (inputs + outputs) + shape.winnerBytes
        table.maxPoolForward(shape, x.read, y.pointer, winners.pointer)
        if backward {
            return Workload(name: name, items: n[0], bytes: bytes) {
                table.maxPoolBackward(shape, y.read, winners.read, x.pointer)
            }
        }
        return Workload(name: name, items: n[0], bytes: bytes) {
            table.maxPoolForward(shape, x.read, y.pointer, winners.pointer)
        }
    }

    /// Elementwise kernels, a reduction and optimiser updates, cut for threads as the engine cuts them.
    private static func elementwise(_ name: String, _ kernel: String, count: Int) -> Workload? {
        guard count > 0, count < 1 << 30 else { return nil }
        let (a, b, c, d) = (Operand(count), Operand(count), Operand(count), Operand(count))
        let table = Engine.float
        func cut(_ streams: Int, _ body: @escaping (_ length: Int, _ offset: Int) -> Void) -> Workload {
            Workload(name: name, bytes: 4 * count * streams) {
                Parallel.forRanges(of: count, size: 16_384, work: count) { body($1.count, $1.lowerBound * 4) }
            }
        }
        func unary(_ op: UnaryOp) -> Workload { cut(2) { table.unary(op, $0, a.read + $1, 1, c.pointer + $1, 1) } }
        func binary(_ op: BinaryOp) -> Workload {
            cut(3) { table.binary(op, $0, a.read + $1, 1, b.read + $1, 1, c.pointer + $1, 1) }
        }
        switch kernel {
        case "add": return binary(.add)
        case "mul": return binary(.mul)
        case "reluBackward": return binary(.reluBackward)
        case "relu": return unary(.relu)
        case "exp": return unary(.exp)
        case "tanh": return unary(.tanh)
        case "sigmoid": return unary(.sigmoid)
        case "sum":
            return Workload(name: name, bytes: 4 * count) { table.reduce(.sum, 1, count, 1, a.read, c.pointer) }
        case "sgd":
            let settings = SGDSettings(
                lr: 1e-3, momentum: 0.9, dampening: 0, weightDecay: 0, nesterov: false, maximize: false,
                isFirstStep: false)
            return Workload(name: name, bytes: 4 * count * 5) {
                table.sgdStep(settings, count, c.pointer, a.read, b.pointer)
            }
        case "adam":
            let settings = AdamSettings(
                lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, correction1: 0.1, correction2: 0.001,
                decoupled: false, maximize: false)
            table.unary(.abs, count, d.read, 1, d.pointer, 1)
            return Workload(name: name, bytes: 4 * count * 7) {
                table.adamStep(settings, count, c.pointer, a.read, b.pointer, d.pointer, nil)
            }
        default: return nil
        }
    }
}
