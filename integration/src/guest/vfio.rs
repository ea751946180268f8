//! A program that drives a VF as DPDK would begin to: it opens the VF's group, reads who made the VF, and holds on to it. It must know vfio
//! alone, and nothing of vfhook.

use std::fs;

use super::command::Invocation;
use super::failure::Failure;

/// Where it is on the host; [`MOUNTS`] has it in a container at the same place.
const FOLDER: &str = "/tmp/lab-vfio";
/// What a container needs to run it, beside the nodes: perl and what perl needs.
pub(crate) const MOUNTS: [&str; 4] = ["/usr", "/lib", "/lib64", FOLDER];
/// The vendor and device of a VF of an 82576.
pub(crate) const IDS: &str = "8086:10ca";

/// `SECONDS GROUP DEVICE`, the last two of the container's own where they are not said: the ids are read from the device's own configuration space, as vfio shows it (`linux/vfio.h`; x86-64's numbers of
/// open, ioctl and pread). sysfs cannot tell them: a VF's raw ids read ffff.
const PROGRAM: &str = r#"
$| = 1;
my ($seconds, $group, $device) = @ARGV;
opendir my $nodes, "/dev/vfio" or die "list /dev/vfio: $!\n";
my ($own) = grep { /^[0-9]+$/ } readdir $nodes;
$group //= "/dev/vfio/$own";
$device //= $ENV{VFHOOK_VFIO_DATA};
sub must { my ($what, $answer) = @_; die "$what: $!\n" if $answer < 0; return $answer }
my $path = "/dev/vfio/vfio\0";
my $all = must("open /dev/vfio/vfio", syscall(2, $path, 2, 0));
my $fd = must("open $group", syscall(2, "$group\0", 2, 0));
must("put the group into the container", syscall(16, $fd, 0x3b68, pack("i", $all)));
must("choose the IOMMU", syscall(16, $all, 0x3b66, 1));
my $vf = must("open $device", syscall(16, $fd, 0x3b6a, "$device\0"));
my $region = pack("L4Q2", 32, 0, 7, 0, 0, 0);
must("find the configuration space", syscall(16, $vf, 0x3b6c, $region));
my $ids = "\0" x 4;
must("read the configuration space", syscall(17, $vf, $ids, 4, (unpack("L4Q2", $region))[5]));
printf "driven %04x:%04x\n", unpack("SS", $ids);
sleep $seconds;
"#;

/// Puts it in its place; the words that run it for so many seconds.
pub(crate) fn program(group: &str, device: &str, seconds: u32) -> Result<String, Failure> {
    fs::create_dir_all(FOLDER).map_err(Failure::file("create", FOLDER))?;
    let path = format!("{FOLDER}/drive.pl");
    fs::write(&path, PROGRAM).map_err(Failure::file("write", &path))?;
    Ok(format!("/usr/bin/perl {path} {seconds} {group} {device}"))
}

/// Where one that is started by [`COMMAND`] has said what it did.
pub(crate) const SAID: &str = "/tmp/lab-vfio/said";
/// Runs it in a container for long, with what the container itself has.
pub(crate) const COMMAND: [&str; 3] =
    ["/bin/sh", "-c", "/usr/bin/perl /tmp/lab-vfio/drive.pl 100000 > /tmp/lab-vfio/said 2>&1"];

/// A container of the test image that runs it, with these nodes.
pub(crate) fn in_container(
    podman: Invocation,
    nodes: &[String],
    image: &str,
    words: &str,
) -> Invocation {
    let nodes = nodes.iter().map(|node| format!("--device {node}"));
    let mounts = MOUNTS.iter().map(|place| format!("-v {place}:{place}:ro"));
    let options: Vec<String> = nodes.chain(mounts).collect();
    let (program, rest) = words.split_once(' ').unwrap_or((words, ""));
    podman
        .arg_words(&options.join(" "))
        .arg_words(&format!("--entrypoint {program} {image}"))
        .arg_words(rest)
}
