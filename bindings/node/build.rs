//! Link arguments of a Node addon.

fn main() {
    napi_build::setup();
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "macos") {
        // Otherwise a library there is named by the path that it was linked at.
        println!("cargo::rustc-link-arg-cdylib=-Wl,-install_name,@rpath/preopen.node");
    }
}
