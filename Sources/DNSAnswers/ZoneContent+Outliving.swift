extension ZoneContent {
    /// Names of the aliased form that earlier generations published and this one no longer needs (design §4). Resolvers
    /// cache a DNAME or CNAME to them until its TTL expires, and would get NXDOMAIN if the names were removed.
    public struct Outliving: Sendable, Equatable, Codable {
        /// Regions with equal answers, identified by the names of their parents.
        public struct Cell: Sendable, Equatable, Codable {
            public var regions: ClosedRange<UInt32>
            public var parents: [String]
            public var ttl: UInt32
            public init(regions: ClosedRange<UInt32>, parents: [String], ttl: UInt32) {
                (self.regions, self.parents, self.ttl) = (regions, parents, ttl)
            }
        }

        /// A class of identically mapped portsets.
        public struct Class: Sendable, Equatable, Codable {
            /// Hash that identifies the class.
            public var hash: UInt64
            public var cells: [Cell]
            /// Hash of the union of its root set regions; nil if it has none.
            public var union: UInt64?
            /// The class must be answered until this time, in seconds since 1970.
            public var until: Int64
            public init(hash: UInt64, cells: [Cell], union: UInt64?, until: Int64) {
                (self.hash, self.cells, self.union, self.until) = (hash, cells, union, until)
            }
        }

        /// Type and RDATA in uncompressed wire form.
        public struct Data: Sendable, Equatable, Codable {
            public var type: UInt16
            public var data: [UInt8]
            public init(type: UInt16, data: [UInt8]) { (self.type, self.data) = (type, data) }
        }

        /// The combined hosts of some root set regions.
        public struct Union: Sendable, Equatable, Codable {
            public var hash: UInt64
            /// Names of the set regions.
            public var sets: [String]
            /// The records last served. They are the answer once one of the set regions has been removed.
            public var records: [Data]
            public var until: Int64
            public init(hash: UInt64, sets: [String], records: [Data], until: Int64) {
                (self.hash, self.sets, self.records, self.until) = (hash, sets, records, until)
            }
        }

        /// A set region that was removed, as last served.
        public struct Set: Sendable, Equatable, Codable {
            public var name: String
            public var records: [Data]
            public var until: Int64
            public init(name: String, records: [Data], until: Int64) {
                (self.name, self.records, self.until) = (name, records, until)
            }
        }

        public var classes: [Class] = []
        public var unions: [Union] = []
        public var sets: [Set] = []

        public init() {}

        /// True if there are no names to keep.
        public var isEmpty: Bool { classes.isEmpty && unions.isEmpty && sets.isEmpty }
    }
}
