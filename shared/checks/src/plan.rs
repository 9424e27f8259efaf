//! A contract compiled for checking: flat lists that refer to each other by number.

use septet_contract::{
    Bound, Condition, Format, LogicalType, Metric, MomentFormat, Number, Object, Options, PhysicalType,
    Property, Rule, RuleKind, Severity, TextFormat, Unit,
};

use crate::constraint::{Constraint, Limit, epoch_seconds};
use crate::distinct::MOST_DISTINCT;
use crate::literals::Literals;

/// Everything that a table is checked for.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Attributes, members and elements; the first is the item itself.
    pub(crate) nodes: Vec<Node>,
    /// What is counted while items are observed.
    pub(crate) checks: Vec<Check>,
    /// Values of which distinct ones are counted.
    pub(crate) distinct: Vec<Vec<String>>,
    /// What the report answers, in its order.
    pub(crate) judgements: Vec<Judgement>,
    pub(crate) partition: KeyPart,
    pub(crate) sort: Option<KeyPart>,
}

#[derive(Debug, Clone)]
pub(crate) struct KeyPart {
    pub(crate) attribute: String,
    pub(crate) physical: PhysicalType,
}

/// The item itself.
pub(crate) const ROOT: usize = 0;

/// One place of a contract: the item, an attribute, a member of a map, the elements of a list.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// As `recs[].score`; empty for the item.
    pub(crate) path: String,
    /// The place whose values are all there are for a share: the nearest list element around, else the item.
    pub(crate) anchor: usize,
    /// Check that fails for an absent or null value.
    pub(crate) required: Option<usize>,
    /// Checks of the type; the others are made only if these hold.
    pub(crate) types: Vec<usize>,
    /// Checks of the value, in the order of the contract.
    pub(crate) values: Vec<usize>,
    /// Counts of metrics, which are no failures by themselves.
    pub(crate) metrics: Vec<usize>,
    /// Count of values that fail any check of this place.
    pub(crate) invalid: Option<usize>,
    /// Where distinct values are counted.
    pub(crate) distinct: Vec<usize>,
    /// How to read the moment that a string holds.
    pub(crate) moment: Option<Reader>,
    /// Members of a map by their names.
    pub(crate) members: Vec<(String, usize)>,
    /// Check that fails for members without a name here.
    pub(crate) closed: Option<usize>,
    /// Elements of a list or set.
    pub(crate) items: Option<usize>,
    /// Keys and values of a map whose keys are data.
    pub(crate) map: Option<(usize, usize)>,
}

impl Node {
    pub(crate) fn member(&self, name: &str) -> Option<usize> {
        self.members.iter().find(|(known, _)| known == name).map(|(_, node)| *node)
    }
}

/// How the moment in a string is read.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) format: Option<MomentFormat>,
}

/// One thing that values are tested for and that failing ones are counted of.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) node: usize,
    pub(crate) expected: String,
    pub(crate) test: Constraint,
}

/// One line of the report.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) id: String,
    pub(crate) rule: String,
    pub(crate) attribute: Option<String>,
    pub(crate) severity: Severity,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// There are items, unless a rule allows that there are none.
    NotEmpty { zero_allowed: bool },
    /// No value fails the check.
    Check(usize),
    /// No member is without a name.
    Closed(usize),
    /// No value is there twice.
    Unique(Count),
    /// A count keeps a condition.
    Metric { count: Count, node: usize, condition: Condition, unit: Unit },
    /// Nothing checks it.
    Skipped(String),
    /// It cannot be checked.
    Broken(String),
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Count {
    Items,
    Nulls,
    /// Nulls and what the check counts.
    Missing(usize),
    Invalid(usize),
    Duplicates(usize),
    /// None, as the values are the whole primary key or more.
    PrimaryKey,
}

impl Plan {
    pub(crate) fn new(object: &Object) -> Self {
        let part = |key: &septet_contract::KeyAttribute| KeyPart {
            attribute: key.attribute.clone(),
            physical: key.physical,
        };
        let mut plan = Self {
            nodes: vec![Node::default()],
            checks: Vec::new(),
            distinct: Vec::new(),
            judgements: Vec::new(),
            partition: part(&object.key.partition),
            sort: object.key.sort.as_ref().map(part),
        };
        let zero_allowed = object.quality.iter().any(|rule| match &rule.kind {
            RuleKind::Metric(metric) => {
                metric.metric == Metric::RowCount && metric.condition.holds(&Number::ZERO)
            }
            _ => false,
        });
        plan.judge("notEmpty", None, Kind::NotEmpty { zero_allowed });
        if object.closed {
            plan.closed(ROOT);
        }
        for property in &object.properties {
            plan.member(object, ROOT, property);
        }
        for rule in &object.quality {
            plan.rule(object, ROOT, None, rule);
        }
        plan
    }

    /// How many values each list of distinct ones may hold.
    pub(crate) fn most_distinct(&self) -> usize {
        MOST_DISTINCT / self.distinct.len().max(1)
    }

    fn judge(&mut self, rule: &str, node: Option<usize>, kind: Kind) {
        let path = node.map(|node| self.nodes[node].path.clone()).filter(|path| !path.is_empty());
        self.judgements.push(Judgement {
            id: format!("{}:{rule}", path.as_deref().unwrap_or("table")),
            rule: rule.to_owned(),
            attribute: path,
            severity: Severity::Error,
            kind,
        });
    }

    fn check(&mut self, node: usize, expected: impl Into<String>, test: Constraint) -> usize {
        self.checks.push(Check { node, expected: expected.into(), test });
        self.checks.len() - 1
    }

    fn judged_check(
        &mut self,
        node: usize,
        rule: &'static str,
        expected: impl Into<String>,
        test: Constraint,
    ) -> usize {
        let check = self.check(node, expected, test);
        self.judge(rule, Some(node), Kind::Check(check));
        check
    }

    fn closed(&mut self, node: usize) {
        let check = self.check(node, "only attributes of the contract", Constraint::Counted);
        self.nodes[node].closed = Some(check);
        self.judge("closed", Some(node), Kind::Closed(check));
    }

    fn member(&mut self, object: &Object, parent: usize, property: &Property) {
        let around = &self.nodes[parent].path;
        let path = if around.is_empty() {
            property.attribute.clone()
        } else {
            format!("{around}.{}", property.attribute)
        };
        let anchor = self.nodes[parent].anchor;
        let node = self.node(object, path, Some(anchor), property);
        self.nodes[parent].members.push((property.attribute.clone(), node));
    }

    /// Adds a property and all below it; without an anchor it is its own.
    fn node(&mut self, object: &Object, path: String, anchor: Option<usize>, property: &Property) -> usize {
        let node = self.nodes.len();
        self.nodes.push(Node { path, anchor: anchor.unwrap_or(node), ..Node::default() });
        if property.required {
            self.required(node);
        }
        self.types(node, property);
        self.options(node, property);
        if property.unique {
            let count = self.duplicates_at(object, node, property);
            self.judge("unique", Some(node), Kind::Unique(count));
        }
        if property.closed {
            self.closed(node);
        }
        for member in &property.properties {
            self.member(object, node, member);
        }
        if let Some(items) = &property.items {
            let path = format!("{}[]", self.nodes[node].path);
            self.nodes[node].items = Some(self.node(object, path, None, items));
        }
        if let Some(map) = &property.map {
            let path = &self.nodes[node].path;
            let (keys, values) = (format!("{path}{{key}}"), format!("{path}{{}}"));
            let keys = self.node(object, keys, None, &map.key);
            let values = self.node(object, values, None, &map.value);
            self.nodes[node].map = Some((keys, values));
        }
        for rule in &property.quality {
            self.rule(object, node, Some(property), rule);
        }
        node
    }

    fn required(&mut self, node: usize) {
        let check = self.judged_check(node, "required", "present and not null", Constraint::Counted);
        self.nodes[node].required = Some(check);
    }

    fn types(&mut self, node: usize, property: &Property) {
        if let Some(physical) = property.physical {
            let check =
                self.judged_check(node, "physicalType", physical.as_str(), Constraint::Physical(physical));
            self.nodes[node].types.push(check);
        }
        if let Some(logical) = property.logical {
            let formatted = matches!(property.options.format, Some(Format::Moment(_)));
            let check = self.judged_check(
                node,
                "logicalType",
                logical.as_str(),
                Constraint::Logical { logical, types: property.physical_types(), formatted },
            );
            self.nodes[node].types.push(check);
            if matches!(logical, LogicalType::Date | LogicalType::Time | LogicalType::Timestamp) {
                let format = match &property.options.format {
                    Some(Format::Moment(format)) => Some(format.clone()),
                    _ => None,
                };
                self.nodes[node].moment = Some(Reader { format });
            }
        }
    }

    fn options(&mut self, node: usize, property: &Property) {
        let options = &property.options;
        let mut found: Vec<(&'static str, String, Constraint)> = Vec::new();
        let Options { min_length, max_length, pattern, format, timezone, .. } = options;
        let mut push = |rule, expected: String, test| found.push((rule, expected, test));
        if let Some(least) = min_length {
            push("minLength", least.to_string(), Constraint::MinLength(*least));
        }
        if let Some(most) = max_length {
            push("maxLength", most.to_string(), Constraint::MaxLength(*most));
        }
        if let Some(pattern) = pattern {
            push("pattern", pattern.to_string(), Constraint::Pattern(pattern.clone()));
        }
        match format {
            Some(Format::Text(format)) => {
                if let Some(name) = name_of(format) {
                    push("format", name.to_owned(), Constraint::Text(format.clone()));
                }
            }
            Some(Format::Integer(format)) => {
                let sign = if format.signed { 'i' } else { 'u' };
                push("format", format!("{sign}{}", format.bits), Constraint::Integer(*format));
            }
            Some(Format::Float(format)) => {
                push("format", format!("{format:?}").to_lowercase(), Constraint::Float(*format))
            }
            Some(Format::Moment(format)) => {
                push("format", format.as_str().to_owned(), Constraint::MomentRead)
            }
            None => {}
        }
        for (rule, bound, limit) in [
            ("minimum", &options.minimum, Limit::least as fn(_, _) -> _),
            ("maximum", &options.maximum, Limit::most),
            ("exclusiveMinimum", &options.exclusive_minimum, Limit::above),
            ("exclusiveMaximum", &options.exclusive_maximum, Limit::below),
        ] {
            match bound {
                Some(Bound::Number(number)) => {
                    push(rule, number.to_string(), Constraint::Range(limit(Some(*number), None)))
                }
                Some(Bound::Moment(moment)) => {
                    let test = Constraint::Range(limit(epoch_seconds(moment), Some(*moment)));
                    push(rule, moment.to_string(), test);
                }
                None => {}
            }
        }
        if let Some(step) = options.multiple_of {
            push("multipleOf", step.to_string(), Constraint::MultipleOf(step));
        }
        if let Some(least) = options.min_items {
            push("minItems", least.to_string(), Constraint::MinItems(least));
        }
        if let Some(most) = options.max_items {
            push("maxItems", most.to_string(), Constraint::MaxItems(most));
        }
        if options.unique_items {
            push("uniqueItems", "no two equal elements".to_owned(), Constraint::UniqueItems);
        }
        if let Some(least) = options.min_properties {
            push("minProperties", least.to_string(), Constraint::MinProperties(least));
        }
        if let Some(most) = options.max_properties {
            push("maxProperties", most.to_string(), Constraint::MaxProperties(most));
        }
        if *timezone == Some(true) {
            push("timezone", "a zone".to_owned(), Constraint::Zoned);
        }
        if let Some(vector) = &options.vector {
            push("dimensions", vector.dimensions.to_string(), Constraint::Dimensions(vector.dimensions));
            push("elementType", vector.element.clone(), Constraint::Elements(vector.element.clone()));
            if vector.normalized {
                push("normalized", "length 1".to_owned(), Constraint::Normalized);
            }
        }
        if !property.allowed.is_empty() {
            let literals = Literals::new(&property.allowed);
            push("enum", literals.to_string(), Constraint::OneOf(literals));
        }
        for (rule, expected, test) in found {
            let check = self.judged_check(node, rule, expected, test);
            self.nodes[node].values.push(check);
        }
        if let Some(Format::Text(TextFormat::Other(name))) = format {
            let reason = format!("format {name:?} is not enforced by this version of Septet");
            self.judge("format", Some(node), Kind::Skipped(reason));
        }
    }

    fn rule(&mut self, object: &Object, node: usize, property: Option<&Property>, rule: &Rule) {
        let (name, kind) = match &rule.kind {
            RuleKind::Metric(metric) => {
                let count = match &metric.metric {
                    Metric::RowCount => Ok(Count::Items),
                    Metric::NullValues => Ok(Count::Nulls),
                    Metric::MissingValues { values } => {
                        let test = Constraint::OneOf(Literals::new(values));
                        let check = self.check(node, String::new(), test);
                        self.nodes[node].metrics.push(check);
                        Ok(Count::Missing(check))
                    }
                    Metric::InvalidValues { valid, pattern } if valid.is_empty() && pattern.is_none() => {
                        let check = self.nodes[node].invalid.unwrap_or(self.checks.len());
                        if check == self.checks.len() {
                            self.check(node, String::new(), Constraint::Counted);
                        }
                        self.nodes[node].invalid = Some(check);
                        Ok(Count::Invalid(check))
                    }
                    Metric::InvalidValues { valid, pattern } => {
                        let valid = (!valid.is_empty()).then(|| Literals::new(valid));
                        let test = Constraint::Invalid { valid, pattern: pattern.clone() };
                        let check = self.check(node, String::new(), test);
                        self.nodes[node].metrics.push(check);
                        Ok(Count::Invalid(check))
                    }
                    Metric::DuplicateValues { properties } => match property {
                        Some(property) if properties.iter().all(|name| *name == property.name) => {
                            Ok(self.duplicates_at(object, node, property))
                        }
                        _ => self.duplicates_of(object, properties),
                    },
                };
                let kind = match count {
                    Ok(count) => Kind::Metric { count, node, condition: metric.condition, unit: metric.unit },
                    Err(reason) => Kind::Broken(reason),
                };
                (metric.metric.as_str(), kind)
            }
            RuleKind::Septet(septet) => (
                septet.check.as_str(),
                Kind::Skipped(
                    "checks of engine septet are not enforced by this version of Septet".to_owned(),
                ),
            ),
            RuleKind::Lambda(_) => (
                "lambda",
                Kind::Skipped(
                    "functions of engine lambda are not called by this version of Septet".to_owned(),
                ),
            ),
            RuleKind::Text => {
                let words = rule.description.as_deref().or(rule.name.as_deref()).unwrap_or_default();
                ("text", Kind::Skipped(format!("in words, for people: {words}")))
            }
        };
        let path = &self.nodes[node].path;
        self.judgements.push(Judgement {
            id: rule.label().to_owned(),
            rule: name.to_owned(),
            attribute: (!path.is_empty()).then(|| path.clone()),
            severity: rule.severity,
            kind,
        });
    }

    /// Duplicates among the values of one place.
    fn duplicates_at(&mut self, object: &Object, node: usize, property: &Property) -> Count {
        let top = object.properties.iter().any(|other| std::ptr::eq(other, property));
        if top && self.covers_key(std::slice::from_ref(&property.attribute)) {
            return Count::PrimaryKey;
        }
        self.distinct.push(Vec::new());
        self.nodes[node].distinct.push(self.distinct.len() - 1);
        Count::Duplicates(self.distinct.len() - 1)
    }

    /// Duplicates among the values of several attributes taken together.
    fn duplicates_of(&mut self, object: &Object, properties: &[String]) -> Result<Count, String> {
        let attributes = properties
            .iter()
            .map(|name| {
                let property =
                    object.property(name).ok_or_else(|| format!("there is no property {name:?}"))?;
                Ok(property.attribute.clone())
            })
            .collect::<Result<Vec<_>, String>>()?;
        if attributes.is_empty() {
            return Err("names no properties".to_owned());
        }
        if self.covers_key(&attributes) {
            return Ok(Count::PrimaryKey);
        }
        self.distinct.push(attributes);
        Ok(Count::Duplicates(self.distinct.len() - 1))
    }

    fn covers_key(&self, attributes: &[String]) -> bool {
        std::iter::once(&self.partition).chain(&self.sort).all(|part| attributes.contains(&part.attribute))
    }
}

/// The format as contracts write it; none for those that allow anything.
fn name_of(format: &TextFormat) -> Option<&'static str> {
    Some(match format {
        TextFormat::Password | TextFormat::Binary | TextFormat::Other(_) => return None,
        TextFormat::Byte => "byte",
        TextFormat::Email => "email",
        TextFormat::Uuid => "uuid",
        TextFormat::Uri => "uri",
        TextFormat::Hostname => "hostname",
        TextFormat::Ipv4 => "ipv4",
        TextFormat::Ipv6 => "ipv6",
    })
}
