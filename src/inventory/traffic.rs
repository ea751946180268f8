//! What an interface has carried since it was made, and what that is a second. Reads no clock.

use serde::Serialize;

/// What went one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Bytes, as the interface counts them: with Ethernet's header where it has one.
    pub bytes: u64,
    /// Packets that were dropped or broken.
    pub lost: u64,
}

/// What went both ways, as the sandbox sees it (`struct rtnl_link_stats64` of `linux/if_link.h`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// What came in.
    pub received: Count,
    /// What went out.
    pub sent: Count,
}

/// What goes one way in a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// Packets.
    pub packets: f64,
    /// Bits.
    pub bits: f64,
    /// Packets that are dropped or broken.
    pub lost: f64,
}

/// What goes both ways in a second, as the sandbox sees it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rates {
    /// What comes in.
    pub received: Rate,
    /// What goes out.
    pub sent: Rate,
}

impl Traffic {
    /// How fast it was on average since `earlier`, which was `seconds` ago.
    pub fn since(&self, earlier: &Self, seconds: f64) -> Rates {
        Rates {
            received: self.received.since(&earlier.received, seconds),
            sent: self.sent.since(&earlier.sent, seconds),
        }
    }
}

impl Count {
    fn since(&self, earlier: &Self, seconds: f64) -> Rate {
        let rate = |now: u64, then: u64| {
            // A count that fell began anew: the interface was made again, or its driver was.
            let more = now.checked_sub(then).unwrap_or(now);
            #[expect(
                clippy::cast_precision_loss,
                reason = "a rate is shown in three digits, and 2^53 packets between two looks are none"
            )]
            let more = more as f64;
            if seconds > 0.0 { more / seconds } else { 0.0 }
        };
        Rate {
            packets: rate(self.packets, earlier.packets),
            bits: rate(self.bytes, earlier.bytes) * 8.0,
            lost: rate(self.lost, earlier.lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_a_second_and_survives_a_count_that_begins_anew() {
        let count = |packets, bytes| Count { packets, bytes, lost: 0 };
        let rate = |packets, bits| Rate { packets, bits, lost: 0.0 };
        assert_eq!(count(30, 3000).since(&count(10, 1000), 0.5), rate(40.0, 32_000.0));
        assert_eq!(count(3, 300).since(&count(10, 1000), 0.5), rate(6.0, 4800.0));
        assert_eq!(count(3, 300).since(&count(1, 100), 0.0), rate(0.0, 0.0));
    }
}
