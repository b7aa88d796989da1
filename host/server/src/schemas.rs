//! Additions to the generated schemas of the specification.

use std::collections::BTreeMap;

use utoipa::Number;
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::ArrayItems;
use utoipa::openapi::{KnownFormat, Object, OpenApi, Ref, RefOr, Schema, SchemaFormat};

use super::links::operations;

/// Characters of a name: all but control characters. Which names are refused besides is said in words.
const NAME: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$";
const LONGEST_NAME: usize = 256;

/// With references in place of copies, and the rule for names wherever one stands.
pub(super) fn tidied(mut openapi: OpenApi) -> OpenApi {
    if let Some(components) = &mut openapi.components {
        refer(&mut components.schemas);
        components.schemas.values_mut().for_each(name_members);
        components.schemas.values_mut().for_each(count_members);
    }
    for operation in operations(&mut openapi) {
        let parameters = operation.parameters.iter_mut().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        });
        let names = parameters.filter(|parameter| {
            parameter.parameter_in == ParameterIn::Path
                && ["user", "room", "tenant"].contains(&parameter.name.as_str())
        });
        for parameter in names {
            if let Some(RefOr::T(Schema::Object(object))) = &mut parameter.schema {
                object.min_length = Some(1);
                object.max_length = Some(LONGEST_NAME);
                name(object);
            }
        }
    }
    openapi
}

/// A page of a list has a copy of its items' schema, for which generators would make a type of its own.
fn refer(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    let known: Vec<_> = schemas.iter().map(|(name, schema)| (name.clone(), schema.clone())).collect();
    for schema in schemas.values_mut() {
        let RefOr::T(Schema::Object(page)) = schema else { continue };
        let Some(RefOr::T(Schema::Array(list))) = page.properties.get_mut("items") else { continue };
        let ArrayItems::RefOrSchema(item) = &mut list.items else { continue };
        if let Some((name, _)) = known.iter().find(|(_, schema)| *schema == **item) {
            **item = RefOr::Ref(Ref::from_schema_name(name));
        }
    }
}

fn name_members(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    for member in object.properties.values_mut() {
        if let RefOr::T(Schema::Object(member)) = member
            && member.max_length == Some(LONGEST_NAME)
        {
            name(member);
        }
    }
}

/// A count of 32 bits without a sign is more than the format `int32` holds.
fn count_members(schema: &mut RefOr<Schema>) {
    const INT32: SchemaFormat = SchemaFormat::KnownFormat(KnownFormat::Int32);
    match schema {
        RefOr::T(Schema::Object(object)) => {
            if object.format == Some(INT32) && object.maximum.is_none() {
                object.format = Some(SchemaFormat::KnownFormat(KnownFormat::Int64));
                object.maximum = Some(Number::UInt(u32::MAX as usize));
            }
            object.properties.values_mut().for_each(count_members);
        }
        RefOr::T(Schema::OneOf(one_of)) => one_of.items.iter_mut().for_each(count_members),
        _ => {}
    }
}

fn name(object: &mut Object) {
    object.pattern = Some(NAME.to_owned());
}
