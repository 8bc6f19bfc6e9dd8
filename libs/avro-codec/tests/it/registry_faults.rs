//! What a registry does on bad days, which the real one cannot be made to do at will.

use std::net::TcpListener;
use std::time::Duration;

use avro_codec::registry::{Compatibility, Registry, RegistryError, Resolver};
use avro_codec::{AvroRecord, SchemaId, Schemas, Status};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::records::{Measurement, tally};

tally!(small, r#"{"type": "record", "name": "Tally", "fields": [{"name": "count", "type": "long"}]}"#, { count: i64 });

const OWN: &str = "measurements-value";
const OWN_ID: SchemaId = SchemaId(1);
const STRANGE_ID: SchemaId = SchemaId(7);

/// Far beyond what any of this takes, and below the patience of whoever runs the tests.
const DEADLINE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_registry_that_gives_no_sensible_answer_is_unavailable_whatever_is_asked() {
    let slow = ResponseTemplate::new(200).set_body_json(json!({"id": 1})).set_delay(DEADLINE);
    for (what, answer) in [
        ("takes too long", slow),
        ("breaks down", ResponseTemplate::new(500).set_body_json(json!({"error_code": 50001, "message": "database"}))),
        ("is a proxy's page", ResponseTemplate::new(404).set_body_string("<h1>Not here</h1>")),
        ("asks for a password", ResponseTemplate::new(401)),
        ("says nothing", ResponseTemplate::new(200)),
        ("says too little", ResponseTemplate::new(200).set_body_json(json!({}))),
    ] {
        let server = MockServer::start().await;
        Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
        let registry = Registry::new(&server.uri(), Duration::from_millis(200)).unwrap();

        let bound = registry.bind_all(&Schemas::new(), &own_subjects()).await;
        assert!(matches!(bound, Err(RegistryError::Unavailable { .. })), "{what}: {bound:?}");
        let registered = registry.register(OWN, Measurement::SCHEMA, Compatibility::FullTransitive).await;
        assert!(matches!(registered, Err(RegistryError::Unavailable { .. })), "{what}: {registered:?}");
    }
}

#[tokio::test]
async fn a_registry_that_does_not_run_is_unavailable_and_the_error_says_where_and_why() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}");
    let registry = Registry::new(&url, DEADLINE).unwrap();

    let error = registry.bind_all(&Schemas::new(), &own_subjects()).await.unwrap_err().to_string();

    assert!(error.contains(&url) && error.contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn an_id_waits_through_an_outage_and_is_learned_when_it_ends() {
    let scene = Scene::with_own_subject().await;
    scene.id(STRANGE_ID, 503, json!({"error_code": 50301, "message": "starting"})).await;
    let run = scene.request(STRANGE_ID);
    scene.asked_for(STRANGE_ID, 3).await;
    assert_eq!(scene.status(STRANGE_ID), Status::Unresolved(STRANGE_ID));

    scene.restore().await;
    scene.id(STRANGE_ID, 200, json!({"schema": small::Tally::SCHEMA})).await;

    scene.becomes(STRANGE_ID, Status::Known).await;
    run.abort();
}

#[tokio::test]
async fn an_id_that_the_registry_has_trouble_with_does_not_keep_others_waiting() {
    let scene = Scene::with_own_subject().await;
    scene.id(SchemaId(6), 500, json!({"error_code": 50001, "message": "corrupt"})).await;
    scene.id(STRANGE_ID, 200, json!({"schema": small::Tally::SCHEMA})).await;
    scene.resolver.request(SchemaId(6));
    let run = scene.request(STRANGE_ID);

    scene.becomes(STRANGE_ID, Status::Known).await;

    assert_eq!(scene.status(SchemaId(6)), Status::Unresolved(SchemaId(6)));
    run.abort();
}

#[tokio::test]
async fn an_id_that_the_right_registry_does_not_know_is_refused_until_it_is_registered_after_all() {
    let scene = Scene::with_own_subject().await;
    scene.id(STRANGE_ID, 404, json!({"error_code": 40403, "message": "no such schema"})).await;
    let run = scene.request(STRANGE_ID);
    scene.becomes(STRANGE_ID, Status::Refused).await;

    scene.restore().await;
    scene.id(STRANGE_ID, 200, json!({"schema": small::Tally::SCHEMA})).await;

    scene.becomes(STRANGE_ID, Status::Unresolved(STRANGE_ID)).await;
    scene.resolver.request(STRANGE_ID);
    scene.becomes(STRANGE_ID, Status::Known).await;
    run.abort();
}

#[tokio::test]
async fn an_id_whose_schema_is_of_no_use_is_refused() {
    let scene = Scene::with_own_subject().await;
    scene.id(STRANGE_ID, 200, json!({"schema": "syntax = \"proto3\";", "schemaType": "PROTOBUF"})).await;
    let run = scene.request(STRANGE_ID);

    scene.becomes(STRANGE_ID, Status::Refused).await;

    run.abort();
}

#[tokio::test]
async fn an_emptied_registry_settles_nothing() {
    let scene = Scene::bound().await;
    scene.lookup(404, json!({"error_code": 40401, "message": "no such subject"})).await;
    scene.id(OWN_ID, 404, json!({"error_code": 40403, "message": "no such schema"})).await;
    scene.id(STRANGE_ID, 404, json!({"error_code": 40403, "message": "no such schema"})).await;
    let run = scene.request(STRANGE_ID);

    scene.asked_for(STRANGE_ID, 3).await;

    assert_eq!(scene.status(STRANGE_ID), Status::Unresolved(STRANGE_ID));
    run.abort();
}

#[tokio::test]
async fn a_foreign_registry_is_not_believed_even_if_it_knows_the_id() {
    let scene = Scene::bound().await;
    scene.lookup(404, json!({"error_code": 40401, "message": "no such subject"})).await;
    scene.id(OWN_ID, 404, json!({"error_code": 40403, "message": "no such schema"})).await;
    scene.id(STRANGE_ID, 200, json!({"schema": small::Tally::SCHEMA})).await;
    let run = scene.request(STRANGE_ID);

    scene.asked_for(STRANGE_ID, 3).await;

    assert_eq!(scene.status(STRANGE_ID), Status::Unresolved(STRANGE_ID));
    run.abort();
}

#[tokio::test]
async fn without_a_subject_to_recognize_the_registry_by_nothing_is_refused() {
    let scene = Scene::new().await;
    scene.id(STRANGE_ID, 404, json!({"error_code": 40403, "message": "no such schema"})).await;
    let run = scene.request(STRANGE_ID);

    scene.asked_for(STRANGE_ID, 3).await;

    assert_eq!(scene.status(STRANGE_ID), Status::Unresolved(STRANGE_ID));
    run.abort();
}

#[tokio::test]
async fn a_bound_text_that_has_another_id_now_is_fatal() {
    let scene = Scene::bound().await;
    scene.lookup(200, json!({"subject": OWN, "id": 2, "version": 1})).await;
    scene.id(STRANGE_ID, 200, json!({"schema": small::Tally::SCHEMA})).await;

    let fatal = ended(scene.request(STRANGE_ID)).await;

    assert!(matches!(&fatal, RegistryError::MeaningChanged { id: OWN_ID, .. }), "{fatal}");
    assert_eq!(scene.status(STRANGE_ID), Status::Unresolved(STRANGE_ID));
}

#[tokio::test]
async fn a_bound_id_that_has_another_text_now_is_fatal() {
    let scene = Scene::bound().await;
    scene.lookup(404, json!({"error_code": 40401, "message": "no such subject"})).await;
    scene.id(OWN_ID, 200, json!({"schema": small::Tally::SCHEMA})).await;
    scene.id(STRANGE_ID, 404, json!({"error_code": 40403, "message": "no such schema"})).await;

    let fatal = ended(scene.request(STRANGE_ID)).await;

    assert!(matches!(&fatal, RegistryError::MeaningChanged { id: OWN_ID, .. }), "{fatal}");
}

fn own_subjects() -> [(String, String); 1] {
    [(OWN.to_string(), Measurement::SCHEMA.to_string())]
}

/// A registry that does as it is told, and a resolver that asks it.
struct Scene {
    server: MockServer,
    schemas: Schemas,
    resolver: Resolver,
}

impl Scene {
    /// Nothing is bound.
    async fn new() -> Self {
        let server = MockServer::start().await;
        let schemas = Schemas::new();
        let registry = Registry::new(&server.uri(), DEADLINE).expect("a client needs no server");
        Self { server, resolver: Resolver::new(registry, schemas.clone()), schemas }
    }

    /// A subject is bound, as the registry had it in better days.
    async fn bound() -> Self {
        let scene = Self::new().await;
        scene.schemas.bind(OWN, OWN_ID, Measurement::SCHEMA).expect("the schema is sound");
        scene
    }

    /// A subject is bound, and the registry still has it.
    async fn with_own_subject() -> Self {
        let scene = Self::bound().await;
        scene.restore().await;
        scene
    }

    /// Forgets all that was told but the own subject.
    async fn restore(&self) {
        self.server.reset().await;
        self.lookup(200, json!({"subject": OWN, "id": OWN_ID.0, "version": 1})).await;
    }

    async fn lookup(&self, status: u16, body: Value) {
        let answer = ResponseTemplate::new(status).set_body_json(body);
        let asked = Mock::given(method("POST")).and(path(format!("/subjects/{OWN}")));
        asked.respond_with(answer).mount(&self.server).await;
    }

    async fn id(&self, id: SchemaId, status: u16, body: Value) {
        let answer = ResponseTemplate::new(status).set_body_json(body);
        Mock::given(method("GET")).and(path(id_path(id))).respond_with(answer).mount(&self.server).await;
    }

    fn request(&self, id: SchemaId) -> JoinHandle<RegistryError> {
        self.resolver.request(id);
        let resolver = self.resolver.clone();
        tokio::spawn(async move { resolver.run().await })
    }

    fn status(&self, SchemaId(id): SchemaId) -> Status {
        self.schemas.status(&[&[0], &id.to_be_bytes()[..]].concat())
    }

    async fn becomes(&self, id: SchemaId, status: Status) {
        eventually(&format!("id {id} becomes {status:?}"), async || self.status(id) == status).await;
    }

    async fn asked_for(&self, id: SchemaId, times: usize) {
        let asked = async || {
            let requests = self.server.received_requests().await.unwrap_or_default();
            requests.iter().filter(|request| request.url.path() == id_path(id)).count() >= times
        };
        eventually(&format!("the registry was asked for id {id} {times} times"), asked).await;
    }
}

fn id_path(id: SchemaId) -> String {
    format!("/schemas/ids/{id}")
}

/// What a resolver ended with.
async fn ended(run: JoinHandle<RegistryError>) -> RegistryError {
    let ended = tokio::time::timeout(DEADLINE, run).await;
    ended.unwrap_or_else(|_| panic!("not within {DEADLINE:?}: the resolver ends")).expect("the resolver does not panic")
}

async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    let reached = async {
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        while !condition().await {
            looks.tick().await;
        }
    };
    tokio::time::timeout(DEADLINE, reached).await.unwrap_or_else(|_| panic!("not within {DEADLINE:?}: {what}"));
}
