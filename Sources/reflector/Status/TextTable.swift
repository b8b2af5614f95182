/// Rows of text in aligned columns.
struct TextTable {
    enum Alignment {
        case left, right
    }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: (title: String, alignment: Alignment)...) { self.columns = columns }
    init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

    /// Adds a row with one cell for each column; an empty cell is shown as `-`.
    mutating func add(_ cells: String...) { add(cells) }

    mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "TextTable: \(cells.count) cells for \(columns.count) columns")
        rows.append(cells.map { $0.isEmpty ? "-" : $0 })
    }

    /// Title line and rows, without trailing spaces.
    var lines: [String] {
        let all = [columns.map(\.title)] + rows
        let widths = columns.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            let cells = columns.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                return columns[column].alignment == .left ? row[column] + padding : padding + row[column]
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}
