//! The names of ICMP errors.

use crate::script::Icmp;

/// Names and numbers of types or codes.
type Names = &'static [(&'static str, u8)];

const V4: Names =
    &[("unreachable", 3), ("source_quench", 4), ("redirect", 5), ("time_exceeded", 11), ("parameter_problem", 12)];

const V4_UNREACHABLE: Names = &[
    ("net_unreachable", 0),
    ("host_unreachable", 1),
    ("protocol_unreachable", 2),
    ("port_unreachable", 3),
    ("frag_needed", 4),
    ("source_route_failed", 5),
    ("net_unknown", 6),
    ("host_unknown", 7),
    ("source_host_isolated", 8),
    ("net_prohibited", 9),
    ("host_prohibited", 10),
    ("net_unreachable_for_tos", 11),
    ("host_unreachable_for_tos", 12),
    ("packet_filtered", 13),
    ("precedence_violation", 14),
    ("precedence_cutoff", 15),
];

const V6: Names = &[("unreachable", 1), ("packet_too_big", 2), ("time_exceeded", 3), ("parameter_problem", 4)];

const V6_UNREACHABLE: Names = &[
    ("no_route", 0),
    ("net_unreachable", 0),
    ("admin_prohibited", 1),
    ("not_neighbour", 2),
    ("address_unreachable", 3),
    ("port_unreachable", 4),
];

const V6_TIME_EXCEEDED: Names = &[("exceeded_hop_limit", 0), ("exceeded_frag_time", 1)];

const V6_PARAMETER_PROBLEM: Names = &[("header_field", 0), ("unknown_next_header", 1), ("unknown_option", 2)];

/// The number behind a name, or behind `type_3` and `code_1`.
fn number(name: &str, prefix: &str, names: Names) -> Result<u8, String> {
    let plain = name.strip_prefix(prefix).and_then(|digits| digits.parse().ok());
    let known = names.iter().find(|(own, _)| *own == name).map(|(_, number)| *number);
    plain.or(known).ok_or_else(|| {
        let all: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        format!("ICMP has no {name:?} here: name one of {prefix}NUMBER {}", all.join(" "))
    })
}

/// Type, code and the four octets behind the checksum.
///
/// # Errors
/// Names that this version of IP does not have.
pub fn header(icmp: &Icmp, is_v4: bool) -> Result<(u8, u8, [u8; 4]), String> {
    let kind = number(&icmp.kind, "type_", if is_v4 { V4 } else { V6 })?;
    let codes = match (is_v4, kind) {
        (true, 3) => V4_UNREACHABLE,
        (false, 1) => V6_UNREACHABLE,
        (false, 3) => V6_TIME_EXCEEDED,
        (false, 4) => V6_PARAMETER_PROBLEM,
        _ => &[],
    };
    let code = icmp.code.as_ref().map_or(Ok(0), |code| number(code, "code_", codes))?;
    let rest = match (icmp.mtu, is_v4, kind, code) {
        (None, ..) => [0; 4],
        // RFC 1191 §4: 16 bits behind 16 that are not used. RFC 4443 §3.2: 32 bits.
        (Some(mtu), true, 3, 4) if mtu <= 0xFFFF => mtu.to_be_bytes(),
        (Some(mtu), false, 2, _) => mtu.to_be_bytes(),
        _ => return Err("an MTU stands in unreachable frag_needed of IPv4 and packet_too_big of IPv6 only".into()),
    };
    Ok((kind, code, rest))
}
