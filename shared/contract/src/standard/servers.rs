//! Servers: which keys each type of server has.

use super::{CUSTOM, Keys, ROLE, Shape, check_choice, check_members, join, require};
use crate::document::Node;
use crate::findings::Findings;

static SERVER: Keys = Keys {
    what: "a server",
    members: &[
        ("id", Shape::Id),
        ("server", Shape::Text),
        ("type", Shape::Text),
        ("description", Shape::Text),
        ("environment", Shape::Text),
        ("roles", Shape::List(&Shape::Object(&ROLE))),
        ("customProperties", CUSTOM),
    ],
    required: &["server", "type"],
};

/// Type of server and its keys; `!` marks those that it needs. All are text, a `port` may be a number.
static TYPES: &[(&str, &str)] = &[
    ("api", "location!"),
    ("athena", "stagingDir schema! catalog regionName workgroup"),
    ("azure", "location! format! encoding delimiter"),
    ("bigquery", "project! dataset!"),
    ("btrieve", "host! port database!"),
    ("clickhouse", "host! port! database!"),
    ("cloudsql", "host! port! database! schema!"),
    (
        "custom",
        "account catalog database dataset delimiter endpointUrl format encoding host location path port project region regionName schema serviceName stagingDir warehouse stream",
    ),
    ("databricks", "host catalog! schema!"),
    ("db2", "host! port! database! schema"),
    ("denodo", "host! port! database"),
    ("dremio", "host! port! schema"),
    ("duckdb", "database! schema"),
    ("exasol", "host! port schema"),
    ("fastobjects", "database! host port"),
    ("glue", "account! database! location format encoding"),
    ("hana", "host! port database schema"),
    ("hive", "host! port database!"),
    ("iceberg", "catalog! catalogUrl! namespace warehouse"),
    ("impala", "host! port database!"),
    ("informix", "host! port database!"),
    ("ingres", "database! host! port"),
    ("kafka", "host! format encoding"),
    ("kinesis", "region format encoding"),
    ("local", "path! format! encoding"),
    ("mysql", "host! port! database!"),
    ("oracle", "host! port! serviceName!"),
    ("poet", "database! host port"),
    ("postgres", "host! port! database! schema!"),
    ("postgresql", "host! port! database! schema!"),
    ("presto", "host! catalog schema"),
    ("pubsub", "project!"),
    ("redshift", "host database! schema! region account"),
    ("s3", "location! endpointUrl format encoding delimiter"),
    ("sftp", "location! format encoding delimiter"),
    ("snowflake", "host port account! database! schema! warehouse"),
    ("sqlserver", "host! port database! schema!"),
    ("synapse", "host! port! database!"),
    ("teradata", "host! port database"),
    ("trino", "host! port! catalog! schema!"),
    ("vectorwise", "database! host! port"),
    ("versant", "database! host port"),
    ("vertica", "host! port! database! schema!"),
    ("zen", "host! port database!"),
];

pub(super) fn check_server(node: &Node, path: &str, findings: &mut Findings) {
    let server_type = node.get("type").and_then(Node::text);
    let Some((_, keys)) = TYPES.iter().find(|(name, _)| Some(*name) == server_type) else {
        check_members(node, &SERVER, &[], false, path, findings);
        if let Some(server_type) = node.get("type").filter(|node| node.text().is_some()) {
            let names: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
            if server_type.text() == Some("dynamodb") {
                findings.error(
                    server_type.at,
                    &join(path, "type"),
                    "the standard has no server type dynamodb",
                    "write type: custom",
                );
            } else {
                check_choice(server_type, &names, &join(path, "type"), findings);
            }
        }
        return;
    };
    let members: Vec<_> = keys
        .split(' ')
        .map(|key| key.trim_end_matches('!'))
        .map(|key| (key, if key == "port" { Shape::TextOrInteger } else { Shape::Text }))
        .collect();
    check_members(node, &SERVER, &[&members], true, path, findings);
    for key in keys.split(' ').filter_map(|key| key.strip_suffix('!')) {
        require(node, key, "a server of this type", path, findings);
    }
}
