//! Figures by size: as tables, and as a part of the document.

use serde_json::{Map, Value, json};

use crate::{
    report::{
        figure::Figure,
        table::{Table, number},
    },
    storm::WAYS,
    sweep::{Point, Times},
};

/// What attaching took at each size of something.
pub(crate) struct Growth {
    /// What there is more of.
    pub(crate) name: &'static str,
    /// What the ways of each point are; the first may be the floor.
    pub(crate) ways: &'static [&'static str],
    has_floor: bool,
    /// Whether as many as the size says are attached in that time.
    at_once: bool,
    pub(crate) points: Vec<Point>,
}

/// One half of a turn.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Attach,
    Detach,
}

impl Act {
    const ALL: [(Self, &'static str); 2] = [(Self::Attach, "attach"), (Self::Detach, "detach")];

    fn figure(self, times: &Times) -> Figure {
        Figure::of(match self {
            Self::Attach => &times.attach,
            Self::Detach => &times.detach,
        })
    }
}

impl Growth {
    pub(crate) fn of_one(name: &'static str, points: Vec<Point>) -> Self {
        Self { name, ways: &["floor", "vfhook"], has_floor: true, at_once: false, points }
    }

    pub(crate) fn of_functions(points: Vec<Point>) -> Self {
        let ways = &["all free", "all others held"];
        Self { name: "VFs, in memory", ways, has_floor: false, at_once: false, points }
    }

    pub(crate) fn of_storms(points: Vec<Point>) -> Self {
        Self { name: "at once", ways: &WAYS, has_floor: true, at_once: true, points }
    }

    /// The median of a way at a place, in milliseconds.
    fn median(&self, act: Act, way: usize, place: usize) -> f64 {
        act.figure(&self.points[place].ways[way]).median
    }

    /// How many times the median at the smallest size it is at each.
    pub(crate) fn by_first(&self, act: Act, way: usize) -> Vec<f64> {
        let median = |place| self.median(act, way, place);
        (0..self.points.len()).map(|place| median(place) / median(0)).collect()
    }

    /// How many are attached in a second at each size.
    pub(crate) fn a_second(&self, act: Act, way: usize) -> Vec<f64> {
        let many = |place: usize| f64::from(u32::try_from(self.points[place].size).expect("few"));
        let of = |place| many(place) * 1000.0 / self.median(act, way, place);
        (0..self.points.len()).map(of).collect()
    }

    /// How many times the floor's median it is at each size; of many at once, how much of the floor's throughput it has.
    fn by_floor(&self, act: Act, way: usize) -> Option<Vec<f64>> {
        let ratio = |place| {
            let by = self.median(act, way, place) / self.median(act, 0, place);
            if self.at_once { 1.0 / by } else { by }
        };
        (self.has_floor && way > 0).then(|| (0..self.points.len()).map(ratio).collect())
    }

    pub(crate) fn tables(&self) -> String {
        let each = Act::ALL.iter().map(|(act, verb)| {
            let unit = if self.at_once { "ms for all, and so many a second" } else { "ms" };
            format!("\n{verb}, {unit}\n{}", self.table(*act))
        });
        each.collect()
    }

    fn table(&self, act: Act) -> Table {
        let first = format!("x {}", self.points[0].size);
        let mut head = vec![self.name];
        for (way, name) in self.ways.iter().enumerate() {
            head.push(name);
            head.extend(if self.at_once { vec!["/s"] } else { vec!["p90", &first] });
            head.extend((self.has_floor && way > 0).then_some("x floor"));
        }
        let mut table = Table::new(&head);
        for (place, point) in self.points.iter().enumerate() {
            let mut row = vec![point.size.to_string()];
            for (way, times) in point.ways.iter().enumerate() {
                let figure = act.figure(times);
                row.push(number(Some(figure.median), 2));
                if self.at_once {
                    row.push(number(Some(self.a_second(act, way)[place]), 0));
                } else {
                    let by = [figure.p90, self.by_first(act, way)[place]];
                    row.extend(by.map(|value| number(Some(value), 2)));
                }
                row.extend(self.by_floor(act, way).map(|by| number(Some(by[place]), 2)));
            }
            table.row(row);
        }
        table
    }

    pub(crate) fn document(&self) -> Value {
        let place = |place: usize| {
            let mut ways = Map::new();
            for (way, name) in self.ways.iter().enumerate() {
                let act = |act: Act| {
                    json!({
                        "ms": act.figure(&self.points[place].ways[way]),
                        "by_first": self.by_first(act, way)[place],
                        "by_floor": self.by_floor(act, way).map(|by| by[place]),
                        "a_second": self.at_once.then(|| self.a_second(act, way)[place]),
                    })
                };
                let acts = json!({ "attach": act(Act::Attach), "detach": act(Act::Detach) });
                ways.insert((*name).to_owned(), acts);
            }
            json!({ "size": self.points[place].size, "ways": ways })
        };
        (0..self.points.len()).map(place).collect()
    }
}
