//! Compiles Box2D, one translation unit of C++, with whichever C++ compiler there is.

fn main() {
    println!("cargo::rerun-if-changed=cpp");
    let compiled = cc::Build::new()
        .cpp(true)
        .file("cpp/interface.cpp")
        .include("cpp")
        .std("c++11")
        // The same code in every profile; assertions would end the whole program.
        .opt_level(2)
        .define("NDEBUG", None)
        // Rust's flags may name this machine's processor, but a fused multiply-add has other last bits than
        // Gymnasium's Box2D: that of the plainest processor of the kind.
        .inherit_rustflags(false)
        .flag_if_supported("-ffp-contract=off")
        .flag_if_supported("-fno-strict-aliasing")
        .flag_if_supported("-fno-exceptions")
        .flag_if_supported("-fno-rtti")
        .warnings(false)
        .try_compile("deepq_box2d");
    if let Err(error) = compiled {
        println!("cargo::error=Box2D, the physics of LunarLander, could not be compiled: {error}");
        println!(
            "cargo::error=It needs a C++ compiler: `apt install g++` on Debian and Ubuntu, `dnf install gcc-c++` on \
             Fedora, `xcode-select --install` on macOS, the C++ build tools of Visual Studio on Windows. CXX names \
             another one. Without LunarLander, deepq and \
             deepq-envs build with default-features = false."
        );
    }
}
