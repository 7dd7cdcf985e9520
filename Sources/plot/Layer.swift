// What a panel can show: each kind says how much room it needs and draws itself.
import Tapestry

/// Numbers to plot: arrays, ranges and tensors.
public protocol Numbers {
    /// The numbers in order; those of a tensor in row-major order.
    var numbers: [Double] { get }
}

extension Array: Numbers where Element: TensorElement {
    public var numbers: [Double] { map(\.scalar.double) }
}
extension ArraySlice: Numbers where Element: TensorElement {
    public var numbers: [Double] { map(\.scalar.double) }
}
extension Range<Int>: Numbers { public var numbers: [Double] { map(Double.init) } }
extension ClosedRange<Int>: Numbers { public var numbers: [Double] { map(Double.init) } }
extension Tensor: Numbers { public var numbers: [Double] { array(Double.self) } }

/// What an axis says.
enum AxisText {
    /// Ticks with numbers.
    case numbers
    /// A name at 0, 1, 2, …
    case names([String])
    /// Nothing: neither ticks nor frame.
    case none
}

/// One thing drawn in a panel.
protocol Layer {
    /// Numbers that the axes must contain.
    var xValues: [Double] { get }
    var yValues: [Double] { get }
    var xText: AxisText { get }
    var yText: AxisText { get }
    /// Space left between the data and the frame, as a part of the axis' length.
    var xMargin: Double { get }
    var yMargin: Double { get }
    /// Width by height that a unit of data must keep; nil if it may be stretched.
    var aspect: Double? { get }
    /// Columns and rows of cells with text in them; nil if there are none.
    var cells: (columns: Int, rows: Int)? { get }
    /// Whether what is drawn begins at zero, so that no space is left there.
    var standsOnZero: Bool { get }
    /// Whether the first row is the top one.
    var goesDown: Bool { get }
    /// Name and colour in the legend; nil if it has no place there.
    var entry: LegendEntry? { get }
    /// Places that a legend should rather not cover.
    func places(in frame: Frame) -> [Point]
    func draw(on canvas: any Canvas, in frame: Frame)
    /// The colours of numbers, where a bar beside the panel should explain them.
    func colorBar(on canvas: any Canvas, in frame: Frame) -> ColorBar?
}

extension Layer {
    var xText: AxisText { .numbers }
    var yText: AxisText { .numbers }
    var xMargin: Double { 0.03 }
    var yMargin: Double { 0.05 }
    var aspect: Double? { nil }
    var cells: (columns: Int, rows: Int)? { nil }
    var standsOnZero: Bool { false }
    var goesDown: Bool { false }
    var entry: LegendEntry? { nil }
    func places(in frame: Frame) -> [Point] { [] }
    func colorBar(on canvas: any Canvas, in frame: Frame) -> ColorBar? { nil }
}

/// A line of the legend.
struct LegendEntry {
    enum Sample { case line(LineStyle), disc, box }
    let label: String
    let color: Color
    let sample: Sample
}

/// Which colour stands for which number.
struct ColorBar {
    let colors: ColorMap
    let range: ClosedRange<Double>
}

/// How a line is drawn.
public enum LineStyle: Sendable {
    case solid, dashed, dotted

    /// Strokes and gaps in widths of the line.
    func dash(_ width: Double) -> [Double] {
        switch self {
        case .solid: []
        case .dashed: [4 * width, 2.5 * width]
        case .dotted: [width, 2 * width]
        }
    }
}
