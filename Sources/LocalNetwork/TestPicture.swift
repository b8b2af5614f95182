/// The test picture: 24 s of a moving test card with a tone. Video and audio end together (600 pictures of 1/25 s, 1125
/// audio frames of 1024 samples at 48 kHz), so it loops seamlessly. It has a keyframe every second.
enum TestPicture {
    /// Arguments of the ffmpeg that encodes it.
    static func encodeArguments(to path: String) -> [String] {
        let seconds = 24
        return ["-hide_banner", "-nostdin", "-loglevel", "error", "-y"]
            + ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=\(seconds)"]
            + ["-f", "lavfi", "-i", "sine=frequency=440:beep_factor=2:sample_rate=48000:duration=\(seconds)"]
            + ["-frames:a", "\(seconds * 48_000 / 1024)"]
            + ["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-pix_fmt", "yuv420p"]
            + ["-g", "25", "-keyint_min", "25", "-sc_threshold", "0"]
            + ["-b:v", "1400k", "-maxrate", "1500k", "-bufsize", "1500k"]
            + ["-c:a", "aac", "-b:a", "96k", "-ac", "2", "-f", "mpegts", path]
    }
}
