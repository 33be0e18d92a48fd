//! File systems on which locks or renames may not mean what they mean on a local disk.

/// The name of a network file system, or of one that another program serves, by Linux's number for it (`statfs`).
#[cfg_attr(
    not(any(target_os = "linux", test)),
    allow(dead_code, reason = "Linux's numbers")
)]
pub(super) fn by_number(number: u32) -> Option<&'static str> {
    Some(match number {
        0x0000_6969 => "NFS",
        0x0000_517B | 0xFF53_4D42 | 0xFE53_4D42 => "SMB",
        // sshfs, and everything else that a program serves.
        0x6573_5546 => "FUSE",
        // Also what WSL shows of Windows' drives.
        0x0102_1997 => "9P",
        0x5346_414F | 0x6B41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x0000_564C => "NCP",
        0x00C3_6400 => "Ceph",
        0x0BD0_0BD0 => "Lustre",
        0x0116_1970 => "GFS2",
        0x7461_636F => "OCFS2",
        0x4750_4653 => "GPFS",
        0x2003_0528 => "OrangeFS",
        0x1983_0326 => "BeeGFS",
        // The shared folders of virtual machines.
        0x786F_4256 => "vboxsf",
        0xBACB_ACBC => "HGFS",
        0x7C7C_6673 => "Parallels",
        _ => return None,
    })
}

/// The same by the name that macOS and the BSDs give.
#[cfg_attr(
    not(any(target_vendor = "apple", test)),
    allow(dead_code, reason = "macOS's names")
)]
pub(super) fn by_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "nfs" => "NFS",
        "smbfs" | "cifs" => "SMB",
        "afpfs" => "AFP",
        "webdav" => "WebDAV",
        "lifs" | "macfuse" | "osxfuse" | "fusefs" => "FUSE",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{by_name, by_number};

    #[test]
    fn network_file_systems_are_known_and_local_ones_are_not() {
        for (number, name) in [
            (0x6969, "NFS"),
            (0xFF53_4D42, "SMB"),
            (0xFE53_4D42, "SMB"),
            (0x6573_5546, "FUSE"),
            (0x0102_1997, "9P"),
            (0x00C3_6400, "Ceph"),
            (0x0BD0_0BD0, "Lustre"),
        ] {
            assert_eq!(by_number(number), Some(name));
        }
        // ext4, XFS, btrfs, tmpfs, overlayfs, ZFS, F2FS, bcachefs, ramfs.
        for local in [
            0xEF53,
            0x5846_5342,
            0x9123_683E,
            0x0102_1994,
            0x794C_7630,
            0x2FC1_2FC1,
            0xF2F5_2010,
            0xCA45_1A4E,
            0x8584_58F6,
        ] {
            assert_eq!(by_number(local), None, "{local:#x}");
        }
        assert_eq!(
            (by_name("smbfs"), by_name("apfs"), by_name("hfs")),
            (Some("SMB"), None, None)
        );
    }
}
