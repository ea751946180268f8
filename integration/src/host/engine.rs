//! What runs the guest's instructions, and what its clock counts. Pure: it starts nothing.

/// QEMU's emulation with one thread for all of a guest's processors, which `-icount` needs.
const EMULATION: &str = "tcg";
/// An instruction takes 2^2 ns, so the guest is a machine of 250 million instructions a second. That is about what one core emulates when
/// it has nothing else to do, so that what the guest waits for takes as long as it would by the host's clock.
const ICOUNT: &str = "shift=2";

/// What is emulated costs an emulator more the more it can do: `max` has five levels of page tables to walk, checks of each access to a
/// user's memory, and registers of half a kilobyte that each change of task saves word by word. On this one, of 2008, a boot and a short
/// scenario take 46 s instead of 64.
const EMULATED_PROCESSOR: &str = "Nehalem";

/// A counted nanosecond is one tick of the time stamp counter: the kernel is told so and measures nothing. `reliable`: all clocks of this
/// machine count the same, and the kernel's watchdog would take the other processor's turn for a difference between them.
const COUNTED: &str = "tsc_early_khz=1000000 tsc=reliable";

/// What the guest's clocks count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timebase {
    /// The guest's instructions, and the host's time only while the guest has nothing to do. On a busy machine everything takes longer,
    /// but no time limit in the guest comes any sooner, be it a scenario's, vfhook's or containerd's. By the host's clock a guest that
    /// gets a quarter of a core has a quarter of each of them, and the kernel, which measures one clock by another at boot, gets
    /// whatever the host's scheduler made of that: its time stamp counter was seen 23 times too fast, its APIC timer a fifth too slow.
    Instructions,
    /// The host's time.
    Host,
}

/// What runs the guest's instructions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Engine {
    accelerator: String,
    /// What the guest's clocks count.
    pub(crate) timebase: Timebase,
}

impl Engine {
    /// Emulation, or what `VFHOOK_LAB_ACCEL` says.
    pub(crate) fn chosen() -> Self {
        Self::of(std::env::var("VFHOOK_LAB_ACCEL").ok().as_deref())
    }

    /// Emulation works everywhere; another accelerator is for machines that have it, and has the host's time.
    fn of(given: Option<&str>) -> Self {
        match given.filter(|given| !given.is_empty() && *given != EMULATION) {
            None => Self { accelerator: EMULATION.into(), timebase: Timebase::Instructions },
            Some(given) => Self { accelerator: given.into(), timebase: Timebase::Host },
        }
    }

    /// QEMU's arguments.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let processor = match self.timebase {
            Timebase::Instructions => EMULATED_PROCESSOR,
            Timebase::Host => "max",
        };
        let mut args = ["-accel", &self.accelerator, "-cpu", processor].map(str::to_owned).to_vec();
        if self.timebase == Timebase::Instructions {
            args.extend(["-icount".into(), ICOUNT.into()]);
        }
        args
    }

    /// What the guest's kernel is told of its clocks.
    pub(crate) fn kernel_arguments(&self) -> &'static str {
        match self.timebase {
            Timebase::Instructions => COUNTED,
            Timebase::Host => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulated_guest_counts_its_instructions() {
        for given in [None, Some(""), Some("tcg")] {
            let engine = Engine::of(given);
            assert_eq!(engine.timebase, Timebase::Instructions);
            let expected = ["-accel", "tcg", "-cpu", "Nehalem", "-icount", "shift=2"];
            assert_eq!(engine.arguments(), expected);
            assert!(engine.kernel_arguments().contains("tsc_early_khz=1000000"));
        }
    }

    #[test]
    fn any_other_accelerator_has_the_hosts_time_and_the_kernels_own_checks() {
        for given in ["kvm", "tcg,thread=multi"] {
            let engine = Engine::of(Some(given));
            assert_eq!(engine.timebase, Timebase::Host);
            assert_eq!(engine.arguments(), ["-accel", given, "-cpu", "max"]);
            assert!(engine.kernel_arguments().is_empty(), "{engine:?}");
        }
    }
}
