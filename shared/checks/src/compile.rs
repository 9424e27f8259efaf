//! From the model of a contract to what is checked.

use septet_contract::{
    Bound, Format, LogicalType, Metric, MetricRule, Number, Object, Options, PhysicalType, Property, Rule,
    RuleKind, SeptetCheck, Severity, TextFormat,
};

use crate::constraint::{Constraint, Limit, epoch_seconds};
use crate::golden::Golden;
use crate::literals::Literals;
use crate::plan::{Check, Count, Judgement, KeyPart, Kind, Node, Plan, ROOT, Reader};
use crate::rules::Drift;

/// Zones that are UTC by another name.
const UTC: [&str; 5] = ["UTC", "Etc/UTC", "GMT", "Etc/GMT", "Z"];

/// What a property is in an item, and so how many values an item has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It is an attribute of the item.
    Attribute,
    /// It is a member of an object, of which the item has one.
    Member,
    /// It lies in a list, or in a map of any keys.
    Element,
}

impl Role {
    /// What the members of an object are that is this.
    fn inside(self) -> Self {
        if self == Self::Element { self } else { Self::Member }
    }
}

impl Plan {
    pub(crate) fn new(object: &Object) -> Self {
        let part = |key: &septet_contract::KeyAttribute| KeyPart {
            attribute: key.attribute.clone(),
            physical: key.physical,
        };
        let plan = Self {
            nodes: vec![Node::default()],
            checks: Vec::new(),
            distinct: Vec::new(),
            golden: Vec::new(),
            judgements: Vec::new(),
            partition: part(&object.key.partition),
            sort: object.key.sort.as_ref().map(part),
        };
        let mut compiler = Compiler { object, plan };
        let zero_allowed = object.quality.iter().any(|rule| match &rule.kind {
            RuleKind::Metric(MetricRule { metric: Metric::RowCount, condition, .. }) => {
                condition.holds(&Number::ZERO)
            }
            _ => false,
        });
        compiler.judge("notEmpty", ROOT, Kind::NotEmpty { zero_allowed });
        if object.closed {
            compiler.closed(ROOT);
        }
        for property in &object.properties {
            compiler.member(ROOT, property, Role::Attribute);
        }
        for rule in &object.quality {
            compiler.rule(ROOT, None, rule);
        }
        for node in &mut compiler.plan.nodes {
            // Whether a number is one is for a test to say, and whether null may be.
            let tested = 1 << PhysicalType::N as u16 | 1 << PhysicalType::Null as u16;
            node.bare = if node.is_plain() { node.sure & !tested } else { 0 };
        }
        compiler.plan
    }
}

struct Compiler<'a> {
    object: &'a Object,
    plan: Plan,
}

impl Compiler<'_> {
    fn at(&mut self, node: usize) -> &mut Node {
        &mut self.plan.nodes[node]
    }

    fn path(&self, node: usize) -> &str {
        &self.plan.nodes[node].path
    }

    /// A line of the report that the schema asks for.
    fn judge(&mut self, rule: &str, node: usize, kind: Kind) {
        let place = if node == ROOT { "table" } else { self.path(node) };
        let id = format!("{place}:{rule}");
        self.push(id, rule, node, Severity::Error, kind);
    }

    fn push(&mut self, id: String, rule: &str, node: usize, severity: Severity, kind: Kind) {
        let attribute = (node != ROOT).then(|| self.path(node).to_owned());
        self.plan.judgements.push(Judgement { id, rule: rule.to_owned(), attribute, severity, kind });
    }

    /// Something to count that has no line of its own in the report.
    fn count(&mut self, node: usize, expected: impl Into<String>, test: Constraint) -> usize {
        self.plan.checks.push(Check { node, expected: expected.into(), test });
        self.plan.checks.len() - 1
    }

    fn check(&mut self, node: usize, rule: &str, expected: impl Into<String>, test: Constraint) -> usize {
        let check = self.count(node, expected, test);
        self.judge(rule, node, Kind::Check(check));
        check
    }

    fn closed(&mut self, node: usize) {
        let check = self.count(node, "only attributes of the contract", Constraint::Counted);
        self.at(node).closed = Some(check);
        self.judge("closed", node, Kind::Closed(check));
    }

    fn member(&mut self, parent: usize, property: &Property, role: Role) {
        let path = match parent {
            ROOT => property.attribute.clone(),
            _ => format!("{}.{}", self.path(parent), property.attribute),
        };
        let anchor = self.at(parent).anchor;
        let node = self.node(path, Some(anchor), property, role);
        self.at(parent).members.push(property.attribute.clone(), node);
    }

    /// Adds a property and all below it; without an anchor it is its own.
    fn node(&mut self, path: String, anchor: Option<usize>, property: &Property, role: Role) -> usize {
        let node = self.plan.nodes.len();
        self.plan.nodes.push(Node { path, anchor: anchor.unwrap_or(node), ..Node::default() });
        if property.required {
            let check = self.check(node, "required", "present and not null", Constraint::Counted);
            self.at(node).required = Some(check);
        }
        self.types(node, property);
        let sure = self.sure_types(node);
        self.at(node).sure = sure;
        for (rule, expected, test) in limits(&property.options, property) {
            let check = self.check(node, rule, expected, test);
            self.at(node).values.push(check);
        }
        self.unenforced(node, &property.options);
        if property.unique {
            let kind = self.duplicates_at(node, property, role).map_or_else(Kind::Skipped, Kind::Unique);
            self.judge("unique", node, kind);
        }
        if property.closed {
            self.closed(node);
        }
        for member in &property.properties {
            self.member(node, member, role.inside());
        }
        if let Some(items) = &property.items {
            let path = format!("{}[]", self.path(node));
            self.at(node).items = Some(self.node(path, None, items, Role::Element));
        }
        if let Some(map) = &property.map {
            let (keys, values) = (format!("{}{{key}}", self.path(node)), format!("{}{{}}", self.path(node)));
            let keys = self.node(keys, None, &map.key, Role::Element);
            let values = self.node(values, None, &map.value, Role::Element);
            self.at(node).map = Some((keys, values));
        }
        for rule in &property.quality {
            self.rule(node, Some((property, role)), rule);
        }
        node
    }

    fn types(&mut self, node: usize, property: &Property) {
        if let Some(physical) = property.physical {
            let check = self.check(node, "physicalType", physical.as_str(), Constraint::Physical(physical));
            self.at(node).types.push(check);
        }
        if let Some(logical) = property.logical {
            let format = match &property.options.format {
                Some(Format::Moment(format)) => Some(format.clone()),
                _ => None,
            };
            let formatted = format.is_some();
            let test = Constraint::Logical { logical, types: property.physical_types(), formatted };
            let check = self.check(node, "logicalType", logical.as_str(), test);
            self.at(node).types.push(check);
            self.at(node).epoch = logical == LogicalType::Timestamp;
            if matches!(logical, LogicalType::Date | LogicalType::Time | LogicalType::Timestamp) {
                self.at(node).reader = Some(Reader { format });
            }
        }
    }

    /// The types of which nothing but the type decides whether the checks of the type hold.
    fn sure_types(&self, node: usize) -> u16 {
        let holds = |physical: PhysicalType, check: &usize| match &self.plan.checks[*check].test {
            Constraint::Physical(expected) => physical == *expected,
            Constraint::Logical { logical, types, .. } => {
                let read = match logical {
                    LogicalType::Integer | LogicalType::Date | LogicalType::Time => true,
                    LogicalType::Timestamp => physical != PhysicalType::N,
                    _ => false,
                };
                !read && types.contains(&physical) && logical.may_be(physical)
            }
            _ => false,
        };
        let types = &self.plan.nodes[node].types;
        let sure =
            PhysicalType::ALL.iter().filter(|physical| types.iter().all(|check| holds(**physical, check)));
        sure.fold(0, |bits, physical| bits | 1 << *physical as u16)
    }

    /// What the options say and nothing holds the values to.
    fn unenforced(&mut self, node: usize, options: &Options) {
        if let Some(Format::Text(TextFormat::Other(name))) = &options.format {
            let reason = format!("the format {name:?} is not enforced by this version of Septet");
            self.judge("format", node, Kind::Skipped(reason));
        }
        if let Some(zone) = options.default_timezone.as_ref().filter(|zone| !UTC.contains(&zone.as_str())) {
            let reason = format!("moments without an offset are compared as UTC, not as {zone}");
            self.judge("defaultTimezone", node, Kind::Skipped(reason));
        }
    }

    fn rule(&mut self, node: usize, property: Option<(&Property, Role)>, rule: &Rule) {
        let (name, kind) = match &rule.kind {
            RuleKind::Metric(metric) => (metric.metric.as_str(), self.metric(node, property, metric)),
            RuleKind::Septet(check) => (check.as_str(), self.drift(check)),
            RuleKind::Lambda(rule) => ("lambda", Kind::Function(rule.clone())),
            RuleKind::Text => {
                let words = rule.description.as_deref().or(rule.name.as_deref()).unwrap_or_default();
                ("text", Kind::Skipped(format!("in words, for people: {words}")))
            }
        };
        let mut id = rule.label().to_owned();
        if self.plan.judgements.iter().any(|other| other.id == id) {
            id = format!("{id} ({})", rule.path);
        }
        self.push(id, name, node, rule.severity, kind);
    }

    fn drift(&mut self, check: &SeptetCheck) -> Kind {
        let node = match check.of() {
            None => Some(ROOT),
            // Nodes are added in the order of the properties, after the item itself.
            Some(of) => self.object.all_properties().iter().position(|(path, _)| path == of).map(|at| at + 1),
        };
        let first = self.plan.golden.len();
        if let SeptetCheck::GoldenKeys(keys) = check {
            for key in keys {
                let parts = [Some(&self.plan.partition), self.plan.sort.as_ref()];
                self.plan.golden.extend(Golden::new(self.object, parts, key));
            }
            if self.plan.golden.len() - first < keys.len() {
                return Kind::Broken("it names what the table does not have".to_owned());
            }
        }
        let golden = first..self.plan.golden.len();
        match node {
            Some(node) => Kind::Drift(Drift { check: check.clone(), node, golden }),
            None => Kind::Broken("there is no such property".to_owned()),
        }
    }

    fn metric(&mut self, node: usize, property: Option<(&Property, Role)>, rule: &MetricRule) -> Kind {
        let count = match &rule.metric {
            Metric::RowCount => Count::Items,
            Metric::NullValues => Count::Nulls,
            Metric::MissingValues { values } => {
                let check = self.count(node, "", Constraint::OneOf(Literals::new(values)));
                self.at(node).metrics.push(check);
                Count::Missing(check)
            }
            Metric::InvalidValues { valid, pattern } if valid.is_empty() && pattern.is_none() => {
                let check = match self.at(node).invalid {
                    Some(check) => check,
                    None => self.count(node, "", Constraint::Counted),
                };
                self.at(node).invalid = Some(check);
                Count::Invalid(check)
            }
            Metric::InvalidValues { valid, pattern } => {
                let valid = (!valid.is_empty()).then(|| Literals::new(valid));
                let check = self.count(node, "", Constraint::Invalid { valid, pattern: pattern.clone() });
                self.at(node).metrics.push(check);
                Count::Invalid(check)
            }
            Metric::DuplicateValues { properties } => match property {
                Some((property, role)) => match self.duplicates_at(node, property, role) {
                    Ok(count) => count,
                    Err(reason) => return Kind::Skipped(reason),
                },
                None => match self.duplicates_of(properties) {
                    Ok(count) => count,
                    Err(reason) => return Kind::Broken(reason),
                },
            },
        };
        Kind::Metric { count, node, condition: rule.condition, unit: rule.unit }
    }

    /// Duplicates among the values of one attribute.
    fn duplicates_at(&mut self, node: usize, property: &Property, role: Role) -> Result<Count, String> {
        if role == Role::Element {
            return Err("not enforced: duplicates are counted over items, not within their lists".to_owned());
        }
        if role == Role::Attribute && self.covers_key(std::slice::from_ref(&property.attribute)) {
            return Ok(Count::PrimaryKey);
        }
        self.plan.distinct.push(Vec::new());
        let slot = self.plan.distinct.len() - 1;
        self.at(node).distinct.push(slot);
        Ok(Count::Duplicates(slot))
    }

    /// Duplicates among the values of several attributes taken together.
    fn duplicates_of(&mut self, properties: &[String]) -> Result<Count, String> {
        let mut attributes = Vec::new();
        for name in properties {
            let property =
                self.object.property(name).ok_or_else(|| format!("there is no property {name:?}"))?;
            attributes.push(property.attribute.clone());
        }
        if attributes.is_empty() {
            return Err("it names no properties".to_owned());
        }
        if self.covers_key(&attributes) {
            return Ok(Count::PrimaryKey);
        }
        self.plan.distinct.push(attributes);
        Ok(Count::Duplicates(self.plan.distinct.len() - 1))
    }

    fn covers_key(&self, attributes: &[String]) -> bool {
        std::iter::once(&self.plan.partition)
            .chain(&self.plan.sort)
            .all(|part| attributes.contains(&part.attribute))
    }
}

/// What the options and the enum of a property ask of each value: rule, what is expected, test.
fn limits(options: &Options, property: &Property) -> Vec<(&'static str, String, Constraint)> {
    let mut found = Vec::new();
    if let Some(least) = options.min_length {
        found.push(("minLength", least.to_string(), Constraint::MinLength(least)));
    }
    if let Some(most) = options.max_length {
        found.push(("maxLength", most.to_string(), Constraint::MaxLength(most)));
    }
    if let Some(pattern) = &options.pattern {
        found.push(("pattern", pattern.to_string(), Constraint::Pattern(pattern.clone())));
    }
    if let Some((expected, test)) = options.format.as_ref().and_then(form) {
        found.push(("format", expected, test));
    }
    for (rule, bound, limit) in [
        ("minimum", options.minimum, Limit::least as fn(_, _) -> _),
        ("maximum", options.maximum, Limit::most),
        ("exclusiveMinimum", options.exclusive_minimum, Limit::above),
        ("exclusiveMaximum", options.exclusive_maximum, Limit::below),
    ] {
        let Some(bound) = bound else { continue };
        let limit = match bound {
            Bound::Number(number) => limit(Some(number), None),
            Bound::Moment(moment) => limit(epoch_seconds(&moment), Some(moment)),
        };
        found.push((rule, bound.to_string(), Constraint::Range(limit)));
    }
    if let Some(step) = options.multiple_of {
        found.push(("multipleOf", step.to_string(), Constraint::MultipleOf(step)));
    }
    if let Some(least) = options.min_items {
        found.push(("minItems", least.to_string(), Constraint::MinItems(least)));
    }
    if let Some(most) = options.max_items {
        found.push(("maxItems", most.to_string(), Constraint::MaxItems(most)));
    }
    if options.unique_items {
        found.push(("uniqueItems", "no two equal elements".to_owned(), Constraint::UniqueItems));
    }
    if let Some(least) = options.min_properties {
        found.push(("minProperties", least.to_string(), Constraint::MinProperties(least)));
    }
    if let Some(most) = options.max_properties {
        found.push(("maxProperties", most.to_string(), Constraint::MaxProperties(most)));
    }
    if options.timezone == Some(true) {
        found.push(("timezone", "a zone".to_owned(), Constraint::Zoned));
    }
    if let Some(vector) = &options.vector {
        let dimensions = vector.dimensions;
        found.push(("dimensions", dimensions.to_string(), Constraint::Dimensions(dimensions)));
        found.push(("elementType", vector.element.clone(), Constraint::Elements(vector.element.clone())));
        if vector.normalized {
            found.push(("normalized", "length 1".to_owned(), Constraint::Normalized));
        }
    }
    if !property.allowed.is_empty() {
        let literals = Literals::new(&property.allowed);
        found.push(("enum", literals.to_string(), Constraint::OneOf(literals)));
    }
    found
}

/// The test of a format as contracts write it; none for formats that allow anything.
fn form(format: &Format) -> Option<(String, Constraint)> {
    Some(match format {
        Format::Text(text) => {
            let name = match text {
                TextFormat::Password | TextFormat::Binary | TextFormat::Other(_) => return None,
                TextFormat::Byte => "byte",
                TextFormat::Email => "email",
                TextFormat::Uuid => "uuid",
                TextFormat::Uri => "uri",
                TextFormat::Hostname => "hostname",
                TextFormat::Ipv4 => "ipv4",
                TextFormat::Ipv6 => "ipv6",
            };
            (name.to_owned(), Constraint::Text(text.clone()))
        }
        Format::Integer(format) => {
            let sign = if format.signed { 'i' } else { 'u' };
            (format!("{sign}{}", format.bits), Constraint::Integer(*format))
        }
        Format::Float(format) => (format!("{format:?}").to_lowercase(), Constraint::Float(*format)),
        Format::Moment(format) => (format.as_str().to_owned(), Constraint::MomentRead),
    })
}
