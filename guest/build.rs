//! Links the component's module without the padding that a linker leaves in it: each call would take five
//! bytes for its target, which is a fifteenth of the whole.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg-cdylib=--compress-relocations");
    }
}
