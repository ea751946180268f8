//! The cells of a network's ranges, by number, and which of their addresses may be given. It knows no owner.

use std::{collections::BTreeSet, net::IpAddr, ops::RangeInclusive};

use crate::cell::{Cell, number, numbered};

/// The cells that meet the ranges of one network and one family.
#[derive(Debug, Clone)]
pub struct Grid {
    prefix: u8,
    ipv6: bool,
    ranges: Vec<RangeInclusive<u128>>,
    excluded: BTreeSet<u128>,
    /// Runs of cells, by the number of their first address without its host bits; no two meet.
    runs: Vec<RangeInclusive<u128>>,
}

impl Grid {
    /// The grid of cells with `prefix` over the ranges, first to last address, all of the family of the first. `excluded` is given
    /// to nobody: gateways, and addresses that are for those who ask for them by number.
    pub fn new(
        prefix: u8,
        ranges: &[(IpAddr, IpAddr)],
        excluded: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let ipv6 = ranges.first().is_some_and(|(first, _)| first.is_ipv6());
        let same = |address: &IpAddr| address.is_ipv6() == ipv6;
        let ranges: Vec<_> =
            ranges.iter().filter(|(first, last)| same(first) && same(last)).collect();
        let bits = host_bits(prefix, ipv6);
        let mut whole: Vec<_> = ranges
            .iter()
            .map(|(first, last)| number(*first) >> bits..=number(*last) >> bits)
            .collect();
        whole.sort_by_key(|run| *run.start());
        Self {
            prefix,
            ipv6,
            ranges: ranges.iter().map(|(first, last)| number(*first)..=number(*last)).collect(),
            excluded: excluded.into_iter().filter(same).map(number).collect(),
            runs: joined(whole),
        }
    }

    /// How many cells there are.
    pub fn cells(&self) -> u64 {
        let all = self.runs.iter().fold(0_u128, |sum, run| sum.saturating_add(length(run)));
        u64::try_from(all).unwrap_or(u64::MAX)
    }

    /// The cell of this number, from 0 on.
    pub fn cell(&self, index: u64) -> Option<Cell> {
        let mut index = u128::from(index);
        for run in &self.runs {
            if index < length(run) {
                let first = (run.start() + index) << host_bits(self.prefix, self.ipv6);
                return Some(Cell::around(numbered(first, self.ipv6), self.prefix));
            }
            index -= length(run);
        }
        None
    }

    /// The addresses of `cell` that may be given.
    pub fn usable(&self, cell: &Cell) -> impl Iterator<Item = IpAddr> {
        let given = |at: &u128| !self.excluded.contains(at);
        self.parts(cell).flatten().filter(given).map(|at| numbered(at, self.ipv6))
    }

    /// Whether `address` is one that may be given.
    pub fn has(&self, address: IpAddr) -> bool {
        let at = number(address);
        let in_range = self.ranges.iter().any(|range| range.contains(&at));
        address.is_ipv6() == self.ipv6 && in_range && !self.excluded.contains(&at)
    }

    /// How many addresses of `cell` may be given; of a cell with more than 2^32, that many.
    pub fn usable_count(&self, cell: &Cell) -> u32 {
        let given = self.parts(cell).fold(0_u128, |sum, part| {
            let excluded = self.excluded.range(part.clone()).count();
            sum.saturating_add(length(&part) - excluded as u128)
        });
        u32::try_from(given).unwrap_or(u32::MAX)
    }

    /// What each range has of `cell`. Ranges do not overlap: the configuration refuses those that do.
    fn parts(&self, cell: &Cell) -> impl Iterator<Item = RangeInclusive<u128>> {
        let (first, last) = (number(cell.first()), number(cell.last()));
        let here = cell.first().is_ipv6() == self.ipv6;
        let met = move |range: &RangeInclusive<u128>| {
            (*range.start()).max(first)..=(*range.end()).min(last)
        };
        self.ranges.iter().filter(move |_| here).map(met).filter(|part| !part.is_empty())
    }
}

/// In which order a node tries cells: each has another one, so two that begin at once do not meet at each step.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    seed: u64,
}

impl Order {
    /// The order that `seed` decides: a digest of the network's and the node's name.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The number of the cell that is tried as the `turn`th of `cells`; all of them come within `cells` turns.
    pub fn at(&self, turn: u64, cells: u64) -> Option<u64> {
        let cells = u128::from(cells);
        let start = u128::from(self.seed).checked_rem(cells)?;
        let mut stride = 1 + u128::from(self.seed.rotate_left(32)) % cells;
        while divisor(stride, cells) != 1 {
            stride += 1;
        }
        u64::try_from((start + u128::from(turn) % cells * stride) % cells).ok()
    }
}

fn divisor(one: u128, other: u128) -> u128 {
    if other == 0 { one } else { divisor(other, one % other) }
}

fn host_bits(prefix: u8, ipv6: bool) -> u32 {
    let width = if ipv6 { 128_u32 } else { 32 };
    width.saturating_sub(prefix.into()).min(127)
}

fn length(run: &RangeInclusive<u128>) -> u128 {
    run.end().checked_sub(*run.start()).map_or(0, |beyond| beyond.saturating_add(1))
}

/// Runs that meet as one. They come in order.
fn joined(runs: Vec<RangeInclusive<u128>>) -> Vec<RangeInclusive<u128>> {
    let mut joined: Vec<RangeInclusive<u128>> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(last) if *run.start() <= *last.end() => {
                *last = *last.start()..=*last.end().max(run.end());
            }
            _ => joined.push(run),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn grid(prefix: u8, ranges: &[(&str, &str)], excluded: &[&str]) -> Grid {
        let ranges: Vec<_> =
            ranges.iter().map(|(first, last)| (address(first), address(last))).collect();
        Grid::new(prefix, &ranges, excluded.iter().map(|text| address(text)))
    }

    fn names(grid: &Grid) -> Vec<String> {
        (0..grid.cells()).map(|index| grid.cell(index).unwrap().to_string()).collect()
    }

    #[test]
    fn cells_stay_where_they_are_when_a_range_grows_or_moves() {
        let few = grid(28, &[("192.168.0.20", "192.168.0.40")], &[]);
        assert_eq!(names(&few), ["192.168.0.16/28", "192.168.0.32/28"]);
        let more =
            grid(28, &[("192.168.0.40", "192.168.0.70"), ("192.168.0.8", "192.168.0.36")], &[]);
        let expected = [
            "192.168.0.0/28",
            "192.168.0.16/28",
            "192.168.0.32/28",
            "192.168.0.48/28",
            "192.168.0.64/28",
        ];
        assert_eq!(names(&more), expected);
    }

    #[test]
    fn a_cell_gives_what_ranges_have_of_it_and_no_gateway() {
        let grid = grid(
            28,
            &[("192.168.0.20", "192.168.0.22"), ("192.168.0.30", "192.168.0.40")],
            &["192.168.0.21", "192.168.0.1"],
        );
        let cell = grid.cell(0).unwrap();
        let usable: Vec<_> = grid.usable(&cell).map(|at| at.to_string()).collect();
        assert_eq!(usable, ["192.168.0.20", "192.168.0.22", "192.168.0.30", "192.168.0.31"]);
        assert_eq!(grid.usable_count(&cell), 4);
        assert_eq!(grid.usable_count(&Cell::around(address("192.168.0.200"), 28)), 0);
        assert_eq!(grid.usable_count(&Cell::around(address("::c0a8:14"), 124)), 0);
    }

    #[test]
    fn the_whole_of_ipv6_is_counted_and_never_walked() {
        let grid =
            grid(116, &[("fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")], &["fd00::1"]);
        assert_eq!(grid.cells(), u64::MAX);
        let cell = grid.cell(u64::MAX - 1).unwrap();
        assert_eq!(grid.usable_count(&cell), 4096);
        assert_eq!(grid.usable_count(&grid.cell(0).unwrap()), 4095);
    }

    #[test]
    fn every_cell_comes_once_in_a_round_whatever_the_seed() {
        for cells in [1, 2, 3, 12, 97, 100] {
            for seed in [0, 1, 0xdead_beef_0bad_cafe, u64::MAX] {
                let order = Order::new(seed);
                let found: BTreeSet<_> =
                    (0..cells).map(|turn| order.at(turn, cells).unwrap()).collect();
                assert_eq!(found.len() as u64, cells);
                assert!(found.iter().all(|index| *index < cells));
            }
        }
        assert_eq!(Order::new(7).at(0, 0), None);
        assert!(Order::new(u64::MAX).at(u64::MAX, u64::MAX).is_some());
    }
}
