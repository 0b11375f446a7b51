fn main() {
    picovd_manifest::build("picovd.toml");
}
