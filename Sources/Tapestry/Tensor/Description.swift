// How a tensor prints: as in torch, columns aligned, long ones shortened, then shape and what is not the default.
import Foundation

extension Tensor: CustomStringConvertible {
    /// `tensor([[1.0000, 2.5000], …], shape: [2, 2])`. Dimensions beyond 1,000 elements in all show their first and last
    /// three entries.
    public var description: String {
        let prefix = "tensor("
        let body: String
        if count == 0 {
            body = String(repeating: "[", count: Swift.max(1, rank)) + String(repeating: "]", count: Swift.max(1, rank))
        } else {
            let summarized = count > 1000
            let shown = summarized ? Tensor.ends(of: detach()) : detach()
            let format = Tensor.formatter(shown)
            let texts = format.texts
            let width = texts.map(\.count).max() ?? 0
            let padded = texts.map { String(repeating: " ", count: width - $0.count) + $0 }
            var position = 0
            body = Tensor.nested(
                shown.shape, shape, 0, padded, &position, indent: prefix.count, summarized: summarized, width: width)
        }
        var suffix = rank == 0 ? "" : ", shape: \(shape)"
        if dtype != .float32 && dtype != .int64 && dtype != .bool { suffix += ", dtype: \(dtype)" }
        if count == 0 && dtype != .float32 && !suffix.contains("dtype") { suffix += ", dtype: \(dtype)" }
        if let node = gradientNode {
            suffix += ", gradient: \(node.name)"
        } else if isTrainableLeaf {
            suffix += ", requiresGrad: true"
        }
        return prefix + body + suffix + ")"
    }

    /// The first and last three entries of every dimension longer than six.
    private static func ends(of x: Tensor) -> Tensor {
        noGrad {
            var result = x
            for dim in 0..<x.rank where x.shape[dim] > 6 {
                let length = x.shape[dim]
                result = cat(
                    [
                        result.narrow(dim: dim, start: 0, length: 3),
                        result.narrow(dim: dim, start: length - 3, length: 3),
                    ], dim: dim)
            }
            return result
        }
    }

    /// Each element as text, in torch's way: four decimals, integers with a point if all are whole, scientific if the
    /// range is wide.
    private static func formatter(_ x: Tensor) -> (texts: [String], scientific: Bool) {
        switch x.dtype {
        case .bool: return (x.array(Bool.self).map { $0 ? "true" : "false" }, false)
        case .uint8, .int32, .int64: return (x.array(Int.self).map(String.init), false)
        case .float32, .float64: break
        }
        let values = x.array(Double.self)
        let finite = values.filter { $0.isFinite && $0 != 0 }.map { Swift.abs($0) }
        let (least, most) = (finite.min() ?? 0, finite.max() ?? 0)
        let whole = finite.allSatisfy { $0 == $0.rounded() }
        let scientific =
            !finite.isEmpty
            && (whole ? most > 1e8 : most / least > 1000 || most > 1e8 || least < 1e-4)
        func text(_ value: Double) -> String {
            if value.isNaN { return "nan" }
            if value.isInfinite { return value < 0 ? "-inf" : "inf" }
            if scientific { return String(format: "%.4e", value) }
            return whole ? String(format: "%.0f.", value) : String(format: "%.4f", value)
        }
        return (values.map(text), scientific)
    }

    /// Brackets and line breaks around the elements' texts.
    private static func nested(
        _ shown: [Int], _ full: [Int], _ dim: Int, _ texts: [String], _ position: inout Int, indent: Int,
        summarized: Bool, width: Int
    ) -> String {
        if dim == shown.count {
            defer { position += 1 }
            return texts[position]
        }
        let cut = summarized && full[dim] > 6
        var parts: [String] = []
        for index in 0..<shown[dim] {
            if cut && index == 3 { parts.append("...") }
            parts.append(
                nested(
                    shown, full, dim + 1, texts, &position, indent: indent + 1, summarized: summarized, width: width))
        }
        if dim == shown.count - 1 {
            // Rows wrap at 80 columns, as in torch.
            let perLine = Swift.max(1, (80 - indent) / (width + 2))
            var lines: [String] = []
            for start in stride(from: 0, to: parts.count, by: perLine) {
                lines.append(parts[start..<Swift.min(parts.count, start + perLine)].joined(separator: ", "))
            }
            return "[" + lines.joined(separator: ",\n" + String(repeating: " ", count: indent + 1)) + "]"
        }
        let gap = String(repeating: "\n", count: shown.count - dim - 1) + String(repeating: " ", count: indent + 1)
        return "[" + parts.joined(separator: "," + gap) + "]"
    }
}
