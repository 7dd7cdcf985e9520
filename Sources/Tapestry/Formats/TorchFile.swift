// PyTorch's own files (`.pt`, `.pth`): zip archives of a pickle and the numbers of its tensors.

/// What a file of `torch.save` holds: tensors in containers.
///
///     let checkpoint = try loadTorch(from: "epoch-12.pth")
///     try model.loadStateDict(checkpoint["model"]?.stateDict ?? [:])
///     let epoch = checkpoint["epoch"]?.int
public indirect enum TorchValue: Sendable {
    case none, bool(Bool), int(Int), double(Double), string(String), tensor(Tensor)
    case list([TorchValue]), tuple([TorchValue])
    /// A `dict`, `OrderedDict` or `Counter`, in its order.
    case dict([(key: TorchValue, value: TorchValue)])

    /// The value of a dict's key; nil if this is no dict or has no such key.
    public subscript(key: String) -> TorchValue? {
        guard case .dict(let items) = self else { return nil }
        return items.last {
            if case .string(key) = $0.key { true } else { false }
        }?.value
    }

    /// An element of a list or tuple, or the value of a dict's whole-numbered key; nil if there is none.
    public subscript(index: Int) -> TorchValue? {
        switch self {
        case .list(let items), .tuple(let items): items.indices.contains(index) ? items[index] : nil
        case .dict(let items):
            items.last {
                if case .int(index) = $0.key { true } else { false }
            }?.value
        default: nil
        }
    }

    /// The tensors of a dict by name, as `Module.loadStateDict` takes them; nil unless all its keys are strings and all
    /// its values tensors.
    public var stateDict: [String: Tensor]? {
        guard case .dict(let items) = self else { return nil }
        var result: [String: Tensor] = [:]
        for item in items {
            guard case (.string(let name), .tensor(let tensor)) = item else { return nil }
            result[name] = tensor
        }
        return result
    }

    /// The tensor that this is.
    public var tensor: Tensor? { if case .tensor(let value) = self { value } else { nil } }
    /// The whole number that this is.
    public var int: Int? { if case .int(let value) = self { value } else { nil } }
    /// The number that this is, whole or not.
    public var double: Double? {
        switch self {
        case .double(let value): value
        case .int(let value): Double(value)
        default: nil
        }
    }
    /// The truth value that this is.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The text that this is.
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    /// The elements of the list or tuple that this is.
    public var elements: [TorchValue]? {
        switch self {
        case .list(let items), .tuple(let items): items
        default: nil
        }
    }
}

/// Reads what `torch.save` (of PyTorch 1.6 and later) wrote: a state dict, a whole training checkpoint, a tensor.
/// Mirrors `torch.load` with `weights_only=True`.
///
/// Nothing in the file is run: containers, numbers, strings and tensors are built here, anything else that the file
/// names is refused. Tensors that share memory in the file share it here; float16 and bfloat16 become float32.
///
/// - Throws: `FileError` naming the file and the member and byte: an archive or pickle that is damaged, a global that
///   is not allowed, a tensor that does not lie within its storage.
public func loadTorch(from path: String) throws -> TorchValue {
    let archive: ZipArchive
    do {
        archive = try ZipArchive(path)
    } catch let error as FileError {
        guard try InputFile(path).bytes(2, at: 0) == [0x80, 0x02] else { throw error }
        throw FileError(path, "is a pickle of PyTorch before 1.6, which is not read; save it again with torch.save")
    }
    let pickles = archive.members.filter { $0.name.hasSuffix("/data.pkl") }
    guard pickles.count == 1 else {
        throw FileError(path, "is no archive of torch.save: it has \(pickles.count) members named data.pkl")
    }
    let prefix = pickles[0].name.dropLast("data.pkl".count)
    let members = Dictionary(uniqueKeysWithValues: archive.members.map { ($0.name, $0) })
    let order = try members["\(prefix)byteorder"].map { try archive.contents(of: $0) } ?? Array("little".utf8)
    guard order == Array("little".utf8) || order == Array("big".utf8) else {
        throw FileError(path, "member '\(prefix)byteorder' says neither little nor big")
    }

    var loaded: [String: (element: StoredElement, numbers: Tensor)] = [:]
    func load(_ storage: TorchStorage) throws -> Tensor {
        var element = storage.element
        element.isBigEndian = order == Array("big".utf8)
        let name = "\(prefix)data/\(storage.key)"
        if let (known, numbers) = loaded[storage.key], known == element, numbers.count == storage.count {
            return numbers
        }
        guard loaded[storage.key] == nil else { throw FileError(path, "storage '\(name)' is used as two types") }
        guard let member = members[name] else { throw FileError(path, "there is no member '\(name)'") }
        guard element.byteCount([storage.count]) == member.size else {
            throw archive.fault(
                member, "\(storage.count) elements of \(element.size) bytes are not \(member.size) bytes")
        }
        let numbers = try element.tensor([storage.count], from: archive.source(of: member), at: 0)
        loaded[storage.key] = (element, numbers)
        return numbers
    }
    var reader = PickleReader(try archive.contents(of: pickles[0]), load: load)
    do {
        return try reader.read()
    } catch let fault as PickleReader.Fault {
        throw archive.fault(pickles[0], "at byte \(fault.position): \(fault.message)")
    }
}

/// The memory of tensors in an archive: `count` elements in the member `data/KEY`.
struct TorchStorage {
    let key: String
    let element: StoredElement
    let count: Int

    /// The layout of a tensor in the storage; nil unless all of it lies within. Tensors may repeat elements, but not
    /// make much of little: one of a billion elements that are all the same is more likely an attack.
    func layout(_ shape: [Int], strides: [Int], offset: Int) -> Layout? {
        guard shape.count == strides.count, (0...count).contains(offset), strides.allSatisfy({ $0 >= 0 }),
            element.byteCount(shape) != nil
        else { return nil }
        let layout = Layout(shape: shape, strides: strides, offset: offset)
        if layout.isContiguous {
            // Steps along dimensions of length 1 may be anything; they are not taken over.
            return layout.count <= count - offset
                ? Layout(shape: shape, strides: Layout.contiguousStrides(shape), offset: offset) : nil
        }
        var last = offset
        for (length, stride) in zip(shape, strides) {
            let (reach, tooFar) = (length - 1).multipliedReportingOverflow(by: stride)
            let (sum, overflow) = last.addingReportingOverflow(reach)
            guard !tooFar, !overflow, stride <= count else { return nil }
            last = sum
        }
        return last < count && layout.count / 64 <= max(count, 1 << 20) ? layout : nil
    }
}
