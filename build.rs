//! Containers are made of the Linux kernel: on any other system there is nothing to build.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if system != "linux" {
        println!(
            "cargo::error=workbench needs a Linux kernel, and this is {system}. Get one with: \
             docker run -it --rm --privileged -v \"$PWD\":/workbench -w /workbench rust:bookworm"
        );
    }
}
