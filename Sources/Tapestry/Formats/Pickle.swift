// Python's pickles, read without running anything: a stack machine that knows containers, numbers and tensors only.

/// Reads one pickle, protocols 2 to 5. What Python would look up and call (a "global") must be among the few that make
/// containers and tensors; these are recognised by name and built here.
///
/// Values live in one array and refer to each other by index, so that lists that contain themselves or nest a million
/// deep cost nothing here; `tree` limits both.
struct PickleReader {
    /// A value while the pickle is read.
    private enum Node {
        case none, bool(Bool), int(Int), double(Double), string(String), bytes
        case list([Int]), tuple([Int]), dict([(key: Int, value: Int)])
        case global(Global), storage(TorchStorage), tensor(Tensor)
    }

    /// What a pickle may name.
    private enum Global {
        case orderedDict, counter, size, rebuildTensor, rebuildParameter
        case storage(StoredElement)

        init?(_ name: String) {
            switch name {
            case "collections.OrderedDict": self = .orderedDict
            case "collections.Counter": self = .counter
            case "torch.Size": self = .size
            case "torch._utils._rebuild_tensor_v2": self = .rebuildTensor
            case "torch._utils._rebuild_parameter": self = .rebuildParameter
            default:
                guard name.hasPrefix("torch."), let element = StoredElement.torchStorages[String(name.dropFirst(6))]
                else { return nil }
                self = .storage(element)
            }
        }
    }

    /// What is wrong with a pickle, and at which byte.
    struct Fault: Error {
        let message: String
        let position: Int
    }

    private let bytes: [UInt8]
    /// Gives the numbers of a storage that the pickle names.
    private let load: (TorchStorage) throws -> Tensor
    private var position = 0
    /// Where the opcode at work began.
    private var start = 0
    private var nodes: [Node] = []
    private var stack: [Int] = []
    /// Heights of the stack that are marked.
    private var marks: [Int] = []
    private var memo: [Int: Int] = [:]

    init(_ bytes: [UInt8], load: @escaping (TorchStorage) throws -> Tensor) {
        (self.bytes, self.load) = (bytes, load)
    }

    /// The pickle's value. Throws `Fault`, or what `load` throws.
    mutating func read() throws -> TorchValue {
        while true {
            start = position
            let opcode = try byte()
            if opcode == UInt8(ascii: ".") { break }
            try run(opcode)
        }
        let root = try pop()
        // Without sharing, a value takes a byte at least; sharing may repeat some, but not without end.
        var budget = 1000 + 16 * bytes.count
        return try tree(root, depth: 0, &budget)
    }

    private mutating func run(_ opcode: UInt8) throws {
        switch Unicode.Scalar(opcode) {
        case "\u{80}": _ = try byte()  // PROTO
        case "\u{95}": _ = try number(UInt64.self)  // FRAME: its length only helps to read ahead
        case "(": marks.append(stack.count)
        case "0": _ = try pop()
        case "1": _ = try popToMark()
        case "2": stack.append(try top())
        case "N": push(.none)
        case "\u{88}": push(.bool(true))
        case "\u{89}": push(.bool(false))
        case "J": push(.int(Int(try number(Int32.self))))
        case "K": push(.int(Int(try number(UInt8.self))))
        case "M": push(.int(Int(try number(UInt16.self))))
        case "\u{8a}": push(.int(try longInteger(Int(try number(UInt8.self)))))
        case "\u{8b}": push(.int(try longInteger(Int(try number(Int32.self)))))
        case "G": push(.double(Double(bitPattern: try number(UInt64.self).byteSwapped)))
        case "X": push(.string(try text(Int(try number(UInt32.self)))))
        case "\u{8c}": push(.string(try text(Int(try number(UInt8.self)))))
        case "\u{8d}": push(.string(try text(try length(UInt64.self))))
        case "T": push(.string(try text(Int(try number(UInt32.self)))))
        case "U": push(.string(try text(Int(try number(UInt8.self)))))
        case "B": try skip(Int(try number(UInt32.self)))
        case "C": try skip(Int(try number(UInt8.self)))
        case "\u{8e}": try skip(try length(UInt64.self))
        case "]": push(.list([]))
        case "l": push(.list(try popToMark()))
        case "a": try extendList([try pop()])
        case "e": try extendList(try popToMark())
        case ")": push(.tuple([]))
        case "t": push(.tuple(try popToMark()))
        case "\u{85}": push(.tuple(try pop(1)))
        case "\u{86}": push(.tuple(try pop(2)))
        case "\u{87}": push(.tuple(try pop(3)))
        case "}": push(.dict([]))
        case "d": push(.dict(try pairs(try popToMark())))
        case "s": try extendDict(try pop(2))
        case "u": try extendDict(try popToMark())
        case "c":
            let module = try line()
            try pushGlobal(module, try line())
        case "\u{93}":
            let names = try pop(2)
            guard case (.string(let module), .string(let name)) = (nodes[names[0]], nodes[names[1]]) else {
                throw fault("a global's name is no string")
            }
            try pushGlobal(module, name)
        case "Q": try pushStorage(try pop())
        case "R", "\u{81}":
            let parts = try pop(2)
            try call(nodes[parts[0]], nodes[parts[1]])
        // State of an object: attributes such as `_metadata`, which say nothing about the values.
        case "b":
            _ = try pop()
            guard case .dict = nodes[try top()] else { throw fault("a state is set on what has none") }
        case "q": memo[Int(try number(UInt8.self))] = try top()
        case "r": memo[Int(try number(UInt32.self))] = try top()
        case "\u{94}": memo[memo.count] = try top()
        case "h": try recall(Int(try number(UInt8.self)))
        case "j": try recall(Int(try number(UInt32.self)))
        default: throw fault("opcode 0x\(String(opcode, radix: 16)) is not supported")
        }
    }

    // MARK: Reading bytes

    private func fault(_ message: String) -> Fault { Fault(message: message, position: start) }

    private mutating func byte() throws -> UInt8 { try number(UInt8.self) }

    private mutating func number<T: FixedWidthInteger>(_: T.Type) throws -> T {
        let size = MemoryLayout<T>.size
        guard bytes.count - position >= size else { throw fault("the pickle is cut off") }
        defer { position += size }
        return bytes.little(position, T.self)
    }

    private mutating func length(_: UInt64.Type) throws -> Int {
        guard let length = Int(exactly: try number(UInt64.self)) else { throw fault("the pickle is cut off") }
        return length
    }

    private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        guard count >= 0, count <= bytes.count - position else { throw fault("the pickle is cut off") }
        defer { position += count }
        return bytes[position..<position + count]
    }

    private mutating func text(_ count: Int) throws -> String {
        guard let text = String(validating: try take(count), as: UTF8.self) else {
            throw fault("a string is not UTF-8")
        }
        return text
    }

    /// Bytes are no values here; only what is made of them by a global would be, and that is refused.
    private mutating func skip(_ count: Int) throws {
        _ = try take(count)
        push(.bytes)
    }

    private mutating func line() throws -> String {
        // No name that is allowed is this long.
        guard let end = bytes[position...].prefix(256).firstIndex(of: 0x0a) else {
            throw fault("a global's name does not end")
        }
        let text = try text(end - position)
        position += 1
        return text
    }

    /// A whole number in two's complement, as many bytes as it needs.
    private mutating func longInteger(_ count: Int) throws -> Int {
        let digits = try take(count)
        guard count <= 8 else { throw fault("a whole number of \(count) bytes is too large") }
        let magnitude = digits.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let shift = UInt64(64 - 8 * count)
        return count == 0 ? 0 : Int(Int64(bitPattern: magnitude << shift) >> shift)
    }

    // MARK: The stack

    private mutating func push(_ node: Node) {
        stack.append(nodes.count)
        nodes.append(node)
    }

    private func top() throws -> Int {
        guard let index = stack.last, stack.count > marks.last ?? 0 else { throw fault("the stack is empty") }
        return index
    }

    private mutating func pop() throws -> Int {
        let index = try top()
        stack.removeLast()
        return index
    }

    private mutating func pop(_ count: Int) throws -> [Int] {
        guard stack.count - (marks.last ?? 0) >= count else { throw fault("the stack is empty") }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popToMark() throws -> [Int] {
        guard let mark = marks.popLast() else { throw fault("there is no mark") }
        defer { stack.removeLast(stack.count - mark) }
        return Array(stack[mark...])
    }

    private mutating func recall(_ index: Int) throws {
        guard let node = memo[index] else { throw fault("there is no memo \(index)") }
        stack.append(node)
    }

    private mutating func extendList(_ items: [Int]) throws {
        let index = try top()
        guard case .list(var list) = nodes[index] else { throw fault("appends to what is no list") }
        nodes[index] = .none  // so that the array is not copied
        list += items
        nodes[index] = .list(list)
    }

    private mutating func extendDict(_ items: [Int]) throws {
        let index = try top()
        guard case .dict(var dict) = nodes[index] else { throw fault("sets an item of what is no dict") }
        let items = try pairs(items)
        nodes[index] = .none
        dict += items
        nodes[index] = .dict(dict)
    }

    private func pairs(_ items: [Int]) throws -> [(key: Int, value: Int)] {
        guard items.count % 2 == 0 else { throw fault("a dict's key has no value") }
        return stride(from: 0, to: items.count, by: 2).map { (items[$0], items[$0 + 1]) }
    }

    // MARK: Objects

    private mutating func pushGlobal(_ module: String, _ name: String) throws {
        guard let global = Global("\(module).\(name)") else {
            throw fault("the global '\(module).\(name)' is not allowed: only tensors and containers are read")
        }
        push(.global(global))
    }

    /// `("storage", torch.FloatStorage, key, location, elements)`
    private mutating func pushStorage(_ identifier: Int) throws {
        guard case .tuple(let parts) = nodes[identifier], parts.count == 5,
            case .string("storage") = nodes[parts[0]], case .global(.storage(let element)) = nodes[parts[1]],
            case .string(let key) = nodes[parts[2]], case .int(let count) = nodes[parts[4]], count >= 0
        else { throw fault("a persistent id is not that of a torch storage") }
        push(.storage(TorchStorage(key: key, element: element, count: count)))
    }

    private mutating func call(_ function: Node, _ arguments: Node) throws {
        guard case .global(let global) = function, case .tuple(let items) = arguments else {
            throw fault("calls what is no global")
        }
        switch global {
        case .orderedDict where items.isEmpty, .counter where items.isEmpty: push(.dict([]))
        case .counter where items.count == 1:
            guard case .dict(let counts) = nodes[items[0]] else { throw fault("a Counter is not made of a dict") }
            push(.dict(counts))
        case .size where items.count == 1: push(.tuple(try elements(items[0])))
        case .rebuildTensor where items.count >= 5:
            guard case .storage(let storage) = nodes[items[0]], case .int(let offset) = nodes[items[1]],
                case .bool(let requiresGrad) = nodes[items[4]]
            else { throw fault("a tensor is not made as torch makes it") }
            let (shape, strides) = (try integers(items[2]), try integers(items[3]))
            guard let layout = storage.layout(shape, strides: strides, offset: offset) else {
                throw fault(
                    "a tensor of shape \(shape), strides \(strides) and offset \(offset) does not lie within its "
                        + "storage of \(storage.count) elements")
            }
            let tensor = try load(storage).alias(layout)
            push(.tensor(requiresGrad && tensor.dtype.isFloatingPoint ? tensor.requiresGrad() : tensor))
        case .rebuildParameter where items.count >= 2:
            guard case .tensor(let tensor) = nodes[items[0]], case .bool(let requiresGrad) = nodes[items[1]] else {
                throw fault("a parameter is not made as torch makes it")
            }
            let parameter = tensor.detach()
            push(.tensor(requiresGrad && tensor.dtype.isFloatingPoint ? parameter.requiresGrad() : parameter))
        default: throw fault("a global is called with \(items.count) arguments, which it does not take")
        }
    }

    private func elements(_ index: Int) throws -> [Int] {
        switch nodes[index] {
        case .tuple(let items), .list(let items): return items
        default: throw fault("expected a tuple")
        }
    }

    private func integers(_ index: Int) throws -> [Int] {
        let items = try elements(index)
        // As many dimensions as torch's own loops take.
        guard items.count <= 64 else { throw fault("\(items.count) dimensions are more than 64") }
        return try items.map {
            guard case .int(let value) = nodes[$0] else { throw fault("expected a tuple of whole numbers") }
            return value
        }
    }

    /// A node with all below it as a value of its own.
    private func tree(_ index: Int, depth: Int, _ budget: inout Int) throws -> TorchValue {
        guard depth < 100 else { throw fault("values nest more than 100 deep") }
        budget -= 1
        guard budget > 0 else { throw fault("values are repeated without end") }
        switch nodes[index] {
        case .none: return .none
        case .bool(let value): return .bool(value)
        case .int(let value): return .int(value)
        case .double(let value): return .double(value)
        case .string(let value): return .string(value)
        case .tensor(let value): return .tensor(value)
        case .list(let items): return .list(try items.map { try tree($0, depth: depth + 1, &budget) })
        case .tuple(let items): return .tuple(try items.map { try tree($0, depth: depth + 1, &budget) })
        case .dict(let items):
            return .dict(
                try items.map {
                    (try tree($0.key, depth: depth + 1, &budget), try tree($0.value, depth: depth + 1, &budget))
                })
        case .bytes, .global, .storage: throw fault("the value holds what is no tensor, container, number or text")
        }
    }
}
