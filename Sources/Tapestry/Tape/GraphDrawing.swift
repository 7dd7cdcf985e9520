// The recorded ops as text, Graphviz DOT and SVG.

extension Tensor {
    /// The ops that led to this tensor. Print it, or take its `dot` or `svg`.
    public func graph() -> Graph { Graph(self) }
}

/// Recorded ops and leaves with the ways gradients take between them.
public struct Graph: CustomStringConvertible {
    /// An op or a leaf.
    struct Item {
        let title, detail: String
        let isLeaf: Bool
        var inputs: [Int] = []
    }
    /// From the last op to the leaves: every item stands before its inputs.
    private(set) var items: [Item] = []

    init(_ tensor: Tensor) {
        guard let root = tensor.gradientNode else {
            items = [Item(title: "leaf", detail: "\(tensor.shape)", isLeaf: true)]
            return
        }
        var nodes: [UInt64: Node] = [:]
        var stack = [root]
        while let node = stack.popLast() {
            guard nodes.updateValue(node, forKey: node.sequence) == nil else { continue }
            for edge in node.edges {
                if case .node(let node) = edge { stack.append(node) }
            }
        }
        let ordered = nodes.values.sorted { $0.sequence > $1.sequence }
        var places: [UInt64: Int] = [:]
        for (index, node) in ordered.enumerated() { places[node.sequence] = index }
        items = ordered.map {
            let site = $0.site.map { " at \($0)" } ?? ""
            return Item(title: $0.name, detail: "\($0.shape)\(site)", isLeaf: false)
        }
        var leaves: [ObjectIdentifier: Int] = [:]
        for (index, node) in ordered.enumerated() {
            for edge in node.edges {
                switch edge {
                case .none: break
                case .node(let input): items[index].inputs.append(places[input.sequence]!)
                case .leaf(let leaf):
                    if leaves[ObjectIdentifier(leaf)] == nil {
                        leaves[ObjectIdentifier(leaf)] = items.count
                        items.append(Item(title: "leaf", detail: "\(leaf.shape)", isLeaf: true))
                    }
                    items[index].inputs.append(leaves[ObjectIdentifier(leaf)]!)
                }
            }
        }
    }

    /// One op a line, last first: number, op, shape, source line, numbers of its inputs.
    public var description: String {
        let width = String(items.count).count
        let titles = items.map(\.title.count).max() ?? 0
        return items.enumerated().map { index, item in
            let number = String(index + 1)
            let inputs = item.inputs.isEmpty ? "" : " ← " + item.inputs.map { String($0 + 1) }.joined(separator: ", ")
            return String(repeating: " ", count: width - number.count) + number + "  " + item.title
                + String(repeating: " ", count: titles - item.title.count + 2) + item.detail + inputs
        }.joined(separator: "\n")
    }

    /// The graph in Graphviz' language, leaves on top.
    public var dot: String {
        func quoted(_ text: String) -> String { text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") }
        var lines = ["digraph tape {", "  node [shape=box, fontname=\"sans-serif\"]"]
        for (index, item) in items.enumerated() {
            let style = item.isLeaf ? ", style=filled, fillcolor=\"#dbeafe\"" : ""
            lines.append("  n\(index) [label=\"\(quoted(item.title))\\n\(quoted(item.detail))\"\(style)]")
        }
        for (index, item) in items.enumerated() {
            for input in item.inputs { lines.append("  n\(input) -> n\(index)") }
        }
        return (lines + ["}"]).joined(separator: "\n") + "\n"
    }

    /// The graph as a picture: layers from the leaves down, each item below all of its inputs, neighbours near what they
    /// are joined to (Sugiyama et al., 1981).
    public var svg: String {
        // Items stand before their inputs, so that from the back every input's layer is known.
        var layer = [Int](repeating: 0, count: items.count)
        for index in items.indices.reversed() { layer[index] = (items[index].inputs.map { layer[$0] + 1 }.max()) ?? 0 }
        // Leaves go right above the first op that uses them.
        for index in items.indices where items[index].isLeaf {
            let users = items.indices.filter { items[$0].inputs.contains(index) }
            layer[index] = max(0, (users.map { layer[$0] }.min() ?? 1) - 1)
        }
        var rows = [[Int]](repeating: [], count: (layer.max() ?? 0) + 1)
        for index in items.indices.reversed() { rows[layer[index]].append(index) }
        var place = [Double](repeating: 0, count: items.count)
        for row in rows { for (position, index) in row.enumerated() { place[index] = Double(position) } }
        for _ in 0..<4 {
            for number in rows.indices {
                let centres = rows[number].map { index -> (Int, Double) in
                    let inputs = items[index].inputs.map { place[$0] }
                    return (index, inputs.isEmpty ? place[index] : inputs.reduce(0, +) / Double(inputs.count))
                }
                rows[number] = centres.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.map(\.0)
                for (position, index) in rows[number].enumerated() { place[index] = Double(position) }
            }
        }
        let boxWidth = Double(items.map { max($0.title.count, $0.detail.count) }.max() ?? 8) * 7.2 + 20
        let (boxHeight, gapX, gapY) = (40.0, 24.0, 36.0)
        let columns = rows.map(\.count).max() ?? 1
        let width = Double(columns) * (boxWidth + gapX) + gapX
        let height = Double(rows.count) * (boxHeight + gapY) + gapY
        var (x, y) = ([Double](repeating: 0, count: items.count), [Double](repeating: 0, count: items.count))
        for (number, row) in rows.enumerated() {
            let start = (width - Double(row.count) * (boxWidth + gapX) + gapX) / 2
            for (position, index) in row.enumerated() {
                x[index] = start + Double(position) * (boxWidth + gapX)
                y[index] = gapY + Double(number) * (boxHeight + gapY)
            }
        }
        var lines = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(Int(width)) \(Int(height))\" width=\"\(Int(width))\" "
                + "height=\"\(Int(height))\" font-family=\"sans-serif\" font-size=\"12\" text-anchor=\"middle\">",
            "<defs><marker id=\"a\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" "
                + "orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#64748b\"/></marker></defs>",
        ]
        for (index, item) in items.enumerated() {
            for input in item.inputs {
                let (x1, y1) = (x[input] + boxWidth / 2, y[input] + boxHeight)
                let (x2, y2) = (x[index] + boxWidth / 2, y[index])
                let middle = (y1 + y2) / 2
                lines.append(
                    "<path d=\"M\(x1) \(y1)C\(x1) \(middle) \(x2) \(middle) \(x2) \(y2 - 1)\" fill=\"none\" "
                        + "stroke=\"#64748b\" marker-end=\"url(#a)\"/>")
            }
        }
        for (index, item) in items.enumerated() {
            lines.append(
                "<rect x=\"\(x[index])\" y=\"\(y[index])\" width=\"\(boxWidth)\" height=\"\(boxHeight)\" rx=\"6\" "
                    + "fill=\"\(item.isLeaf ? "#dbeafe" : "#ffffff")\" stroke=\"#334155\"/>")
            let centre = x[index] + boxWidth / 2
            lines += [
                "<text x=\"\(centre)\" y=\"\(y[index] + 17)\" font-weight=\"bold\">\(escapedMarkup(item.title))</text>",
                "<text x=\"\(centre)\" y=\"\(y[index] + 33)\">\(escapedMarkup(item.detail))</text>",
            ]
        }
        return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
    }
}
