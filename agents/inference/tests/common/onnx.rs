//! Writes small ONNX files, field by field of their protocol buffers.

/// Element types, as ONNX numbers them.
pub const F32: u64 = 1;
pub const I32: u64 = 6;
pub const I64: u64 = 7;
pub const F16: u64 = 10;

/// A value of the graph: name, element type, dimensions; a dimension is a number or a name.
pub type Port<'a> = (&'a str, u64, &'a [&'a str]);

/// A network whose nodes are (operator, inputs, outputs); an operator of another domain is `domain::operator`.
pub fn network(inputs: &[Port<'_>], nodes: &[(&str, &[&str], &[&str])], outputs: &[Port<'_>]) -> Vec<u8> {
    network_with(inputs, nodes, outputs, &[])
}

/// The same with fp32 vectors whose values lie in another file: (name, length, file).
pub fn network_with(
    inputs: &[Port<'_>],
    nodes: &[(&str, &[&str], &[&str])],
    outputs: &[Port<'_>],
    external: &[(&str, u64, &str)],
) -> Vec<u8> {
    let mut graph = bytes(2, b"graph");
    for (operator, takes, gives) in nodes {
        let (domain, name) = operator.rsplit_once("::").unwrap_or(("", operator));
        let mut node = [bytes(4, name.as_bytes()), bytes(7, domain.as_bytes())].concat();
        takes.iter().for_each(|name| node.extend(bytes(1, name.as_bytes())));
        gives.iter().for_each(|name| node.extend(bytes(2, name.as_bytes())));
        if *operator == "Cast" {
            node.extend(bytes(5, &[bytes(1, b"to"), number(3, F32), number(20, 2)].concat()));
        }
        if matches!(*operator, "Concat" | "Split") {
            node.extend(bytes(5, &[bytes(1, b"axis"), number(3, 1), number(20, 2)].concat()));
        }
        graph.extend(bytes(1, &node));
    }
    for (name, length, file) in external {
        let entry = [bytes(1, b"location"), bytes(2, file.as_bytes())].concat();
        let tensor = [number(1, *length), number(2, F32), bytes(8, name.as_bytes()), bytes(13, &entry), number(14, 1)];
        graph.extend(bytes(5, &tensor.concat()));
    }
    inputs.iter().for_each(|port| graph.extend(bytes(11, &value(port))));
    outputs.iter().for_each(|port| graph.extend(bytes(12, &value(port))));
    let mut domains: Vec<&str> =
        nodes.iter().filter_map(|(operator, ..)| Some(operator.rsplit_once("::")?.0)).collect();
    domains.dedup();
    let opset = |domain: &str, version| bytes(8, &[bytes(1, domain.as_bytes()), number(2, version)].concat());
    let others: Vec<u8> = domains.into_iter().flat_map(|domain| opset(domain, 1)).collect();
    [number(1, 8), bytes(7, &graph), opset("", 17), others].concat()
}

fn value((name, element, dimensions): &Port<'_>) -> Vec<u8> {
    let dimension = |text: &&str| match text.parse() {
        Ok(size) => bytes(1, &number(1, size)),
        Err(_) => bytes(1, &bytes(2, text.as_bytes())),
    };
    let shape: Vec<u8> = dimensions.iter().flat_map(dimension).collect();
    let tensor = [number(1, *element), bytes(2, &shape)].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat()
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}
