use serde::Serialize;
use service_kit::http::{Call, JsonBody, Precondition, Problem, text};
use shared_schemas::{Customer, CustomerLevel, CustomerRequested};
use utoipa::ToSchema;

/// The most characters of each field. An address for mail is no longer than the protocol allows (RFC 5321, section
/// 4.5.3.1.3).
const NAME: usize = 100;
const EMAIL: usize = 254;
const ADDRESS: usize = 500;

/// A customer as a client wants it to be; every field is given every time
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct NewCustomer {
    /// 1 to 100 characters
    #[schema(example = "Ada")]
    first_name: String,
    /// 1 to 100 characters
    #[schema(example = "Miller")]
    last_name: String,
    /// At most 254 characters, with an @ between what is not empty
    #[schema(example = "ada@example.com")]
    email: String,
    /// 1 to 500 characters
    #[schema(example = "1 Mill Lane")]
    address: String,
    /// BRONZE, SILVER, GOLD or PLATINUM
    #[schema(value_type = String, example = "GOLD")]
    level: CustomerLevel,
}

/// A customer as clients see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomerDocument {
    #[schema(example = 1)]
    id: i64,
    first_name: String,
    last_name: String,
    email: String,
    address: String,
    #[schema(value_type = String, example = "GOLD")]
    level: CustomerLevel,
    /// 1 when created, and one more with each change; the `ETag` is the same in quotes
    version: i32,
}

impl NewCustomer {
    pub fn read(body: &JsonBody) -> Result<Self, Problem> {
        body.read(|fields| Self {
            first_name: fields.required("firstName", |json| line(json, NAME)),
            last_name: fields.required("lastName", |json| line(json, NAME)),
            email: fields.required("email", email),
            address: fields.required("address", |json| line(json, ADDRESS)),
            level: fields.required("level", level),
        })
    }

    /// The event to journal.
    pub fn requested(self, call: &Call, id: i64, precondition: Precondition, request_id: String) -> CustomerRequested {
        CustomerRequested {
            body: call.body.bytes().to_vec(),
            id,
            request_id,
            expected_version: match precondition {
                Precondition::Absent => Some(0),
                Precondition::Present => None,
                Precondition::Version(version) => Some(version),
            },
            first_name: self.first_name,
            last_name: self.last_name,
            email: self.email,
            address: self.address,
            level: self.level,
            requested_at: call.received_at,
        }
    }
}

impl From<Customer> for CustomerDocument {
    fn from(customer: Customer) -> Self {
        let Customer { id, first_name, last_name, email, address, level, version } = customer;
        Self { id, first_name, last_name, email, address, level, version }
    }
}

/// Reads one line of text that says something. A line break would have a meaning of its own in the head of a mail.
fn line(json: &str, most: usize) -> Result<String, String> {
    let line = text(json)?;
    let is_one = line.chars().count() <= most && !line.chars().any(char::is_control);
    Some(line)
        .filter(|line| is_one && !line.trim().is_empty())
        .ok_or_else(|| format!("must be one line of 1 to {most} characters, and not only spaces"))
}

/// Whether an address exists shows when it is written to; here it only has to look like one.
fn email(json: &str) -> Result<String, String> {
    let email = line(json, EMAIL)?;
    match email.split_once('@') {
        Some((user, host))
            if !user.is_empty() && !host.is_empty() && !host.contains('@') && !email.contains(char::is_whitespace) =>
        {
            Ok(email)
        }
        _ => Err("must be an address such as ada@example.com".to_string()),
    }
}

fn level(json: &str) -> Result<CustomerLevel, String> {
    match text(json)?.as_str() {
        "BRONZE" => Ok(CustomerLevel::Bronze),
        "SILVER" => Ok(CustomerLevel::Silver),
        "GOLD" => Ok(CustomerLevel::Gold),
        "PLATINUM" => Ok(CustomerLevel::Platinum),
        _ => Err("must be BRONZE, SILVER, GOLD or PLATINUM".to_string()),
    }
}
