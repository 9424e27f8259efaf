//! Checks items one by one.

use septet_contract::{Contract, Number, Object, PhysicalType};
use sha2::{Digest, Sha256};

use crate::constraint::Seen;
use crate::digest::{Encoder, Sum, leading};
use crate::direct::Direct;
use crate::distinct::Distinct;
use crate::flat::{Flat, Members};
use crate::golden::Met;
use crate::json::{self, Malformed, PageEnd, Take};
use crate::plan::{KeyPart, Kind, Plan, ROOT};
use crate::profile::{Place as Statistics, Profile, Ranked, Tally};
use crate::value::Item;
use crate::view::{View, shortened};

/// Most bytes of an unknown attribute's name that are kept.
const LONGEST_NAME: usize = 255;

/// A contract compiled for checking.
#[derive(Debug)]
pub struct Checker {
    pub(crate) plan: Plan,
    pub(crate) shape: String,
    /// Whether statistics are kept, or limits are all that is checked.
    pub(crate) measures: bool,
}

impl Checker {
    /// Compiles a contract.
    pub fn new(contract: &Contract) -> Self {
        Self::of(contract.object())
    }

    /// Compiles what a contract says of single items and their number, at a third of the cost: the profiles have
    /// neither digest nor sizes nor statistics, and rules over those are `errored`.
    pub fn of_limits(contract: &Contract) -> Self {
        let mut checker = Self::new(contract);
        checker.measures = false;
        checker.shape.push_str("-limits");
        checker
    }

    pub(crate) fn of(object: &Object) -> Self {
        let shape = leading(&Sha256::digest(format!("{object:?}")).into());
        Self { plan: Plan::new(object), shape: format!("{shape:032x}"), measures: true }
    }

    /// Says how the key of a table differs from the contract's; empty if it does not.
    ///
    /// Each part is the attribute's name and its type as DynamoDB writes it: `S`, `N` or `B`.
    pub fn key_problems(&self, partition: (&str, &str), sort: Option<(&str, &str)>) -> Vec<String> {
        let mut problems = Vec::new();
        let mut compare = |what: &str, expected: Option<&KeyPart>, seen: Option<(&str, &str)>| {
            let shown = |part: Option<(&str, &str)>| match part {
                Some((name, physical)) => format!("{name} ({physical})"),
                None => "none".to_owned(),
            };
            let expected = expected.map(|part| (part.attribute.as_str(), part.physical.as_str()));
            if expected != seen {
                problems.push(format!("{what}: {} expected, {} seen", shown(expected), shown(seen)));
            }
        };
        compare("partition key", Some(&self.plan.partition), Some(partition));
        compare("sort key", self.plan.sort.as_ref(), sort);
        problems
    }

    /// Whether any rule compares with other versions.
    pub fn compares(&self) -> bool {
        self.plan.judgements.iter().any(|judgement| match &judgement.kind {
            Kind::Drift(drift) => drift.check.against().is_some(),
            _ => false,
        })
    }

    /// The profile of no items.
    pub fn profile(&self) -> Profile {
        let most = self.plan.most_distinct();
        let places = self.plan.nodes.iter().map(|node| Statistics {
            path: node.path.clone(),
            values: self.measures.then(Box::default),
            ..Statistics::default()
        });
        Profile {
            shape: self.shape.clone(),
            places: places.collect(),
            golden: vec![Met::default(); self.plan.golden.len()],
            checks: vec![Tally::default(); self.plan.checks.len()],
            distinct: vec![Distinct::new(most); self.plan.distinct.len()],
            ..Profile::default()
        }
    }

    pub(crate) fn knows(&self, profile: &Profile) -> bool {
        !profile.mixed
            && profile.shape == self.shape
            && profile.places.len() == self.plan.nodes.len()
            && profile.golden.len() == self.plan.golden.len()
            && profile.checks.len() == self.plan.checks.len()
            && profile.distinct.len() == self.plan.distinct.len()
    }

    /// Takes an item into a profile that this checker made.
    ///
    /// A profile of another contract becomes one that is judged as `errored`.
    pub fn observe(&self, profile: &mut Profile, item: &Item) {
        let mut flat = std::mem::take(&mut profile.scratch.flat);
        flat.take(item);
        self.take(profile, flat.item(""));
        profile.scratch.flat = flat;
    }

    /// Takes all items of a page as [`observe`](Self::observe) would, from the body of an answer to `Scan` or
    /// `Query`, and says what else the page says.
    ///
    /// Nothing is allocated for an item. After an error the profile has seen a part of the page, and is good for
    /// nothing.
    // Callers are compiled to be small, which this is not to be.
    #[inline(never)]
    pub fn observe_page(&self, profile: &mut Profile, body: &[u8]) -> Result<PageEnd, Malformed> {
        let body = json::text(body)?;
        let mut flat = std::mem::take(&mut profile.scratch.flat);
        let direct = self.knows(profile).then(|| Direct::new(&self.plan, body));
        let mut page = Page { checker: self, profile, body, direct };
        let end = json::page(body, &mut flat, &mut page);
        let Page { profile, direct, .. } = page;
        if let Some(direct) = direct {
            direct.finish(profile);
        }
        profile.scratch.flat = flat;
        end
    }

    fn take(&self, profile: &mut Profile, item: Members<'_>) {
        self.note(profile, item);
        if !self.knows(profile) {
            return profile.mix();
        }
        let encoder = std::mem::take(&mut profile.scratch.encoder);
        let mut walk = Walk { plan: &self.plan, profile, encoder, item, rank: None };
        walk.members(ROOT, item, &Place::Item);
        let Walk { profile, encoder, .. } = walk;
        profile.scratch.encoder = encoder;
        self.note_combinations(profile, item);
    }

    /// Counts an item as a whole.
    fn note(&self, profile: &mut Profile, item: Members<'_>) {
        profile.items = profile.items.saturating_add(1);
        if !self.measures {
            return;
        }
        let encoder = &mut profile.scratch.encoder;
        encoder.clear();
        encoder.item(item);
        profile.digest.add(Sum::from(encoder.hash()));
        let bytes = encoder.size();
        profile.bytes = profile.bytes.saturating_add(bytes);
        profile.sizes.insert(bytes as f64);
        let Some(key) = self.plan.key_hash(item) else { return };
        profile.keys.insert(key);
        for (golden, met) in self.plan.golden.iter().zip(&mut profile.golden) {
            if golden.hash == key {
                golden.meet(item, met);
            }
        }
    }

    /// Values of several attributes taken together; a null among them makes them no value.
    fn note_combinations(&self, profile: &mut Profile, item: Members<'_>) {
        let encoder = &mut profile.scratch.encoder;
        for (slot, attributes) in self.plan.distinct.iter().enumerate() {
            if attributes.is_empty() {
                continue;
            }
            encoder.clear();
            let complete = attributes.iter().all(|attribute| match item.get(attribute) {
                None | Some(View::Null) => false,
                Some(value) => {
                    encoder.value(value);
                    true
                }
            });
            if complete {
                profile.distinct[slot].insert(encoder.short_hash());
            }
        }
    }
}

/// A page on its way into a profile.
struct Page<'a> {
    checker: &'a Checker,
    profile: &'a mut Profile,
    body: &'a str,
    /// None if the profile is of another contract.
    direct: Option<Direct<'a>>,
}

impl Take for Page<'_> {
    fn read(&mut self, at: usize, flat: &mut Flat) -> Option<usize> {
        let Self { checker, profile, body, direct } = self;
        let direct = direct.as_mut()?;
        if !checker.measures && checker.plan.distinct.is_empty() {
            let end = direct.take::<false>(at, flat)?;
            profile.items = profile.items.saturating_add(1);
            return Some(end);
        }
        let end = direct.take::<true>(at, flat)?;
        let item = flat.item(body);
        checker.note(profile, item);
        direct.keep(profile, flat);
        checker.note_combinations(profile, item);
        Some(end)
    }

    fn take(&mut self, item: Members<'_>) {
        self.checker.take(self.profile, item);
    }
}

/// Where a value lies in its item.
#[derive(Clone, Copy)]
enum Place<'a> {
    Item,
    Member(&'a Place<'a>, &'a str),
    Element(&'a Place<'a>, usize),
    Key(&'a Place<'a>, &'a str),
}

impl Place<'_> {
    fn shown(&self) -> String {
        match self {
            Self::Item => String::new(),
            Self::Member(Place::Item, name) => shortened(name),
            Self::Member(around, name) => format!("{}.{}", around.shown(), shortened(name)),
            Self::Element(around, index) => format!("{}[{index}]", around.shown()),
            Self::Key(around, name) => format!("{}{{{}}}", around.shown(), shortened(name)),
        }
    }
}

/// One item on its way into a profile.
struct Walk<'a> {
    plan: &'a Plan,
    profile: &'a mut Profile,
    encoder: Encoder,
    item: Members<'a>,
    /// By which examples of this item are chosen, once one was asked for.
    rank: Option<u64>,
}

impl Walk<'_> {
    fn members(&mut self, node: usize, members: Members<'_>, place: &Place<'_>) {
        let plan = self.plan;
        let compiled = &plan.nodes[node];
        let expected = compiled.members.len();
        let (mut known, mut next, mut seen) = (0, 0, 0_u64);
        for (name, value) in members.iter() {
            if let Some(at) = compiled.members.find(name, next) {
                (known, next) = (known + 1, at + 1);
                seen |= 1_u64.checked_shl(at as u32).unwrap_or(0);
                self.value(compiled.members.node(at), value, &Place::Member(place, name));
            } else if let Some(closed) = compiled.closed {
                self.unknown(closed, name, value, place);
            }
        }
        if known < expected {
            for (at, (name, member)) in compiled.members.iter().enumerate() {
                let is_there = match at {
                    ..64 => seen >> at & 1 == 1,
                    _ => members.get(name).is_some(),
                };
                if !is_there {
                    self.absent(member, &Place::Member(place, name));
                }
            }
        }
    }

    fn absent(&mut self, node: usize, place: &Place<'_>) {
        let counts = &mut self.profile.places[node];
        counts.absent = counts.absent.saturating_add(1);
        if let Some(required) = self.plan.nodes[node].required {
            self.fail(required, place, None);
        }
    }

    #[inline(always)]
    fn value(&mut self, node: usize, view: View<'_>, place: &Place<'_>) {
        let compiled = &self.plan.nodes[node];
        let physical = view.physical();
        let counts = &mut self.profile.places[node];
        let count = &mut counts.types[physical as usize];
        *count = count.saturating_add(1);
        if compiled.bare & 1 << physical as u16 == 0 || counts.values.is_some() {
            self.tested(node, view, place);
        } else if matches!(view, View::M(_) | View::L(_) | View::SS(_) | View::NS(_) | View::BS(_)) {
            self.below(node, view, place);
        }
    }

    /// A value that is more than counted.
    fn tested(&mut self, node: usize, view: View<'_>, place: &Place<'_>) {
        let plan = self.plan;
        let compiled = &plan.nodes[node];
        let physical = view.physical();
        let counts = &mut self.profile.places[node];
        if matches!(view, View::Null) {
            if let Some(required) = compiled.required {
                self.fail(required, place, Some(view));
            }
            return;
        }
        let number = match view {
            View::N(text) => Number::parse(text).ok(),
            _ => None,
        };
        let sure =
            compiled.sure & 1 << physical as u16 != 0 && (number.is_some() || physical != PhysicalType::N);
        let moment = compiled.moment(view);
        let seen = Seen { view, number: number.as_ref(), moment: moment.as_ref() };
        if let Some(values) = &mut counts.values {
            values.insert(&seen, compiled.epoch);
        }
        // One wrong type is one reason: what it breaks beside that is not counted.
        let mut types = if sure { [].iter() } else { compiled.types.iter() };
        let wrong = types.find(|check| !plan.checks[**check].test.holds(&seen, &mut self.encoder));
        if let Some(check) = wrong {
            self.fail(*check, place, Some(view));
        }
        let mut valid = wrong.is_none();
        if valid {
            valid = self.hold(&compiled.values, &seen, place);
            self.below(node, view, place);
        }
        for check in &compiled.metrics {
            if plan.checks[*check].test.holds(&seen, &mut self.encoder) {
                self.fail(*check, place, Some(view));
            }
        }
        if let Some(invalid) = compiled.invalid.filter(|_| !valid) {
            self.fail(invalid, place, Some(view));
        }
        for slot in &compiled.distinct {
            self.profile.distinct[*slot].insert(self.encoder.short_hash_of(view));
        }
    }

    /// Tells whether all checks hold, and counts those that do not.
    fn hold(&mut self, checks: &[usize], seen: &Seen<'_>, place: &Place<'_>) -> bool {
        let mut all = true;
        for check in checks {
            if !self.plan.checks[*check].test.holds(seen, &mut self.encoder) {
                all = false;
                self.fail(*check, place, Some(seen.view));
            }
        }
        all
    }

    fn below(&mut self, node: usize, view: View<'_>, place: &Place<'_>) {
        let compiled = &self.plan.nodes[node];
        match (view, compiled.items) {
            (View::M(members), _) => {
                self.members(node, members, place);
                if let Some((keys, values)) = compiled.map {
                    for (name, value) in members.iter() {
                        self.value(keys, View::S(name), &Place::Key(place, name));
                        self.value(values, value, &Place::Member(place, name));
                    }
                }
            }
            (View::L(elements), Some(items)) => {
                for (index, element) in elements.iter().enumerate() {
                    self.value(items, element, &Place::Element(place, index));
                }
            }
            // The elements of a set have no order, so none has a number.
            (View::SS(elements) | View::NS(elements) | View::BS(elements), Some(items)) => {
                elements.iter().for_each(|element| self.value(items, element, place));
            }
            _ => {}
        }
    }

    fn unknown(&mut self, closed: usize, name: &str, value: View<'_>, place: &Place<'_>) {
        let number = self.profile.items;
        let rank = self.rank();
        let place = Place::Member(place, name);
        let name = beginning(name);
        let tally = &mut self.profile.checks[closed];
        tally.count(number);
        let named = tally.named(name, || (leading(&Sha256::digest(name).into()) >> 64) as u64);
        if let Some(tally) = named {
            tally.count(number);
            if tally.wants(rank) {
                tally.keep(sample(self.plan, self.item, rank, &place, Some(value)));
            }
        }
    }

    fn fail(&mut self, check: usize, place: &Place<'_>, view: Option<View<'_>>) {
        let rank = self.rank();
        let number = self.profile.items;
        let tally = &mut self.profile.checks[check];
        tally.count(number);
        if tally.wants(rank) {
            tally.keep(sample(self.plan, self.item, rank, place, view));
        }
    }

    /// The rank of this item among examples: from its key, so that it is the same in every profile.
    fn rank(&mut self) -> u64 {
        if let Some(rank) = self.rank {
            return rank;
        }
        let mut encoder = Encoder::default();
        for part in std::iter::once(&self.plan.partition).chain(&self.plan.sort) {
            if let Some(value) = self.item.get(&part.attribute) {
                encoder.value(value);
            }
        }
        let rank = (encoder.short_hash() >> 64) as u64;
        self.rank = Some(rank);
        rank
    }
}

/// What is kept of a name: those that begin alike beyond all sense are taken together.
fn beginning(name: &str) -> &str {
    &name[..name.floor_char_boundary(LONGEST_NAME)]
}

fn sample(plan: &Plan, item: Members<'_>, rank: u64, place: &Place<'_>, view: Option<View<'_>>) -> Ranked {
    let parts: Vec<_> = std::iter::once(&plan.partition)
        .chain(&plan.sort)
        .map(|part| {
            let value = item.get(&part.attribute);
            let value = value.map_or_else(|| "absent".to_owned(), View::shown);
            format!("{} {value}", part.attribute)
        })
        .collect();
    Ranked {
        rank,
        key: parts.join(", "),
        at: place.shown(),
        value: view.map_or_else(|| "absent".to_owned(), View::shown),
    }
}
