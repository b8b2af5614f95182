/// Columns of the tables that simulations print row by row. A space separates a text that is too long from the next one.
extension String {
    /// At the right of a column.
    func right(_ width: Int) -> String { String(repeating: " ", count: max(width - count, 1)) + self }

    /// At the left of a column.
    func left(_ width: Int) -> String { self + String(repeating: " ", count: max(width - count, 1)) }
}
