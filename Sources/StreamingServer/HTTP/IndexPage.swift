/// The page at `/`: the streams held now, with the URLs for players.
enum IndexPage {
    /// HTML of the streams in `statistics`. Stream names need no escaping: they are `[a-z0-9-/]`.
    static func html(_ statistics: StreamingStatistics) -> String {
        var rows = ""
        for stream in statistics.streams {
            let name = stream.name.text
            rows += """
                <tr><td>\(name)</td><td><a href="/\(name).ts">/\(name).ts</a></td>\
                <td><a href="/\(name)/index.m3u8">/\(name)/index.m3u8</a></td>\
                <td>\(stream.progressiveViewers)</td><td>\(stream.packets)</td></tr>

                """
        }
        if rows.isEmpty { rows = "<tr><td colspan=5>none at the moment</td></tr>\n" }
        return """
            <!DOCTYPE html>
            <html><head><meta charset="utf-8"><title>Reflector edge</title></head><body>
            <h1>Streams at this edge</h1>
            <table><tr><th>stream</th><th>MPEG-TS</th><th>HLS</th><th>viewers</th><th>packets</th></tr>
            \(rows)</table>
            <p>Players can request any stream of the network: <code>/NAME.ts</code> or
            <code>/NAME/index.m3u8</code>; the edge fetches it when the first viewer comes.</p>
            </body></html>

            """
    }
}
