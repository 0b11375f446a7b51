//! Makes the volume's tables from picovd.toml; see `picovd_manifest::build`.

fn main() {
    // The library alone has its layouts handed in, and users' firmware brings its own memory.x.
    picovd_manifest::build("picovd.toml", std::env::var_os("CARGO_FEATURE_FIRMWARE").is_some());
}
