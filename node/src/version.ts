// The version of this package. `cargo xtask version` writes it; the addon must have the same.

export const VERSION = "0.1.0";
