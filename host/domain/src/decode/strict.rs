//! A deserializer around another one: objects for structs, words for enums, whole numbers for integers.
//!
//! It hands everything on, wrapped again, so that it is there at every level of nesting. What serde
//! buffers goes past it: types that are read here have no `tag`, `untagged` or `flatten`.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer as _, MapAccess, SeqAccess,
    Unexpected, Visitor,
};

/// A deserializer, a visitor or an access of serde's, made strict.
pub struct Strict<T> {
    inner: T,
    /// What an object is called in the format.
    object: &'static str,
}

impl<T> Strict<T> {
    /// Around a reader of JSON.
    pub const fn json(inner: T) -> Self {
        Self { inner, object: "a JSON object" }
    }

    /// Around a reader of TOML.
    pub const fn toml(inner: T) -> Self {
        Self { inner, object: "a table" }
    }

    /// Something else of the same format.
    const fn wrap<U>(object: &'static str, inner: U) -> Strict<U> {
        Strict { inner, object }
    }
}

macro_rules! forward {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(Self::wrap(self.object, visitor))
        })*
    };
}

macro_rules! whole {
    ($($method:ident of $number:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            let (least, most) = (i128::from($number::MIN), i128::from($number::MAX));
            self.inner.$method(Whole { visitor, least, most })
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    forward! {
        deserialize_any deserialize_bool deserialize_i128 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_option deserialize_unit deserialize_seq deserialize_map deserialize_identifier
        deserialize_ignored_any
    }

    whole! {
        deserialize_i8 of i8 deserialize_i16 of i16 deserialize_i32 of i32 deserialize_i64 of i64
        deserialize_u8 of u8 deserialize_u16 of u16 deserialize_u32 of u32 deserialize_u64 of u64
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_struct(name, fields, Object(Self::wrap(self.object, visitor)))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_str(Word { visitor, variants })
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, Self::wrap(self.object, visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_newtype_struct(name, Self::wrap(self.object, visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple(length, Self::wrap(self.object, visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple_struct(name, length, Self::wrap(self.object, visitor))
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident of $type:ty)*) => {
        $(fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Strict<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool of bool visit_i64 of i64 visit_u64 of u64 visit_i128 of i128 visit_u128 of u128
        visit_f64 of f64 visit_char of char visit_str of &str visit_borrowed_str of &'de str
        visit_string of String visit_bytes of &[u8] visit_borrowed_bytes of &'de [u8]
        visit_byte_buf of Vec<u8>
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Self::wrap(self.object, inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Self::wrap(self.object, inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Self::wrap(self.object, seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Self::wrap(self.object, map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(data)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.inner.next_element_seed(Self::wrap(self.object, seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Strict<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.inner.next_key_seed(Self::wrap(self.object, seed))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.next_value_seed(Self::wrap(self.object, seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Strict<T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<T::Value, D::Error> {
        self.inner.deserialize(Self::wrap(self.object, inner))
    }
}

/// Takes a struct from named members alone.
struct Object<V>(Strict<V>);

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.object)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(map)
    }
}

/// Takes an enum from the name of its variant alone.
struct Word<V> {
    visitor: V,
    variants: &'static [&'static str],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Word<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "one of: {}", self.variants.join(", "))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<V::Value, E> {
        let name: StrDeserializer<'_, E> = name.into_deserializer();
        self.visitor.visit_enum(name)
    }
}

/// Takes an integer from a number that is written as one. `1.0` and `1e3` are integers to some readers
/// and not to others; where money is counted there is no room for that.
struct Whole<V> {
    visitor: V,
    least: i128,
    most: i128,
}

impl<V> Whole<V> {
    fn check<E: Error>(&self, value: i128, told: Unexpected<'_>) -> Result<(), E>
    where
        Self: serde::de::Expected,
    {
        if (self.least..=self.most).contains(&value) { Ok(()) } else { Err(E::invalid_value(told, self)) }
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Whole<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { least, most, .. } = self;
        write!(f, "a whole number from {least} to {most}, without a fraction or an exponent")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        self.check(value.into(), Unexpected::Unsigned(value))?;
        self.visitor.visit_u64(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        self.check(value.into(), Unexpected::Signed(value))?;
        self.visitor.visit_i64(value)
    }
}
