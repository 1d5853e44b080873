// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Test} from "forge-std/Test.sol";
import {stdJson} from "forge-std/StdJson.sol";
import {Login, NodeConsent, Offer, Result, Session, Voucher} from "../../contracts/interfaces/Messages.sol";
import {MessageHashes} from "../../contracts/libraries/MessageHashes.sol";

/// The domain as the Registry has it, at the address of the vectors.
contract Domain is EIP712("Cuckoo", "1") {
    function separator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }
}

/// The same vectors are asserted by the agents: both sides hash and sign alike.
contract MessagesTest is Test {
    using stdJson for string;

    string internal json;
    string internal at;
    uint256 internal seen;

    function setUp() public {
        json = vm.readFile("test/vectors/messages.json");
    }

    function test_domainSeparator() public {
        vm.chainId(json.readUint(".domain.chainId"));
        address registry = json.readAddress(".domain.verifyingContract");
        deployCodeTo("Messages.t.sol:Domain", registry);
        assertEq(Domain(registry).separator(), json.readBytes32(".domainSeparator"));
    }

    function test_vectors() public {
        bytes32 domain = json.readBytes32(".domainSeparator");
        mapping(bytes32 => uint256) storage counts = _counts;
        for (; json.keyExists(string.concat(".vectors[", vm.toString(seen), "]")); ++seen) {
            at = string.concat(".vectors[", vm.toString(seen), "].");
            string memory name = json.readString(string.concat(at, "type"));
            (bytes32 structHash, string memory encodedType, bytes memory encoded) = _hash(keccak256(bytes(name)));
            ++counts[keccak256(bytes(name))];

            assertEq(keccak256(bytes(encodedType)), _bytes32("typeHash", ""), name);
            assertEq(structHash, _bytes32("structHash", ""), name);
            // Foundry's own encoder agrees, too.
            assertEq(vm.eip712HashStruct(encodedType, encoded), structHash, name);
            bytes32 digest = MessageHashes.digest(domain, structHash);
            assertEq(digest, _bytes32("digest", ""), name);

            address signer = json.readAddress(string.concat(at, "signer"));
            uint256 key = uint256(_bytes32("privateKey", ""));
            assertEq(vm.addr(key), signer, name);
            bytes memory signature = json.readBytes(string.concat(at, "signature"));
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
            assertEq(signature, abi.encodePacked(r, s, v), name);
            assertEq(ecrecover(digest, v, r, s), signer, name);
        }
        string[6] memory names = ["Offer", "Result", "Voucher", "NodeConsent", "Login", "Session"];
        for (uint256 i; i < names.length; ++i) {
            assertGe(counts[keccak256(bytes(names[i]))], 3, names[i]);
        }
    }

    mapping(bytes32 name => uint256) internal _counts;

    /// @dev Our hash of a vector's fields, the type as a text and the fields as another encoder takes them.
    function _hash(bytes32 name) internal view returns (bytes32, string memory, bytes memory) {
        if (name == keccak256("Offer")) {
            Offer memory m = Offer({
                coordinator: _address("coordinator"),
                miner: _address("miner"),
                modelId: _bytes32("fields.", "modelId"),
                requestHash: _bytes32("fields.", "requestHash"),
                price: _uint("price"),
                expiry: uint64(_uint("expiry"))
            });
            return (
                MessageHashes.hash(m),
                "Offer(address coordinator,address miner,bytes32 modelId,bytes32 requestHash,uint256 price,uint64 expiry)",
                abi.encode(m)
            );
        }
        if (name == keccak256("Result")) {
            Result memory m = Result({
                offerHash: _bytes32("fields.", "offerHash"),
                traceRoot: _bytes32("fields.", "traceRoot"),
                states: uint32(_uint("states")),
                outputHash: _bytes32("fields.", "outputHash")
            });
            return (
                MessageHashes.hash(m),
                "Result(bytes32 offerHash,bytes32 traceRoot,uint32 states,bytes32 outputHash)",
                abi.encode(m)
            );
        }
        if (name == keccak256("Voucher")) {
            Voucher memory m =
                Voucher({payer: _address("payer"), payee: _address("payee"), cumulative: _uint("cumulative")});
            return (MessageHashes.hash(m), "Voucher(address payer,address payee,uint256 cumulative)", abi.encode(m));
        }
        if (name == keccak256("NodeConsent")) {
            NodeConsent memory m = NodeConsent({operator: _address("operator"), node: _address("node")});
            return (MessageHashes.hash(m), "NodeConsent(address operator,address node)", abi.encode(m));
        }
        if (name == keccak256("Login")) return _login();
        assertEq(name, keccak256("Session"));
        Session memory s = Session({
            loginHash: _bytes32("fields.", "loginHash"),
            tokenHash: _bytes32("fields.", "tokenHash"),
            expiry: uint64(_uint("expiry"))
        });
        return (MessageHashes.hash(s), "Session(bytes32 loginHash,bytes32 tokenHash,uint64 expiry)", abi.encode(s));
    }

    function _login() internal view returns (bytes32, string memory, bytes memory) {
        Login memory m = Login({
            miner: _address("miner"),
            coordinator: _address("coordinator"),
            coordinatorNode: _address("coordinatorNode"),
            origin: json.readString(string.concat(at, "fields.origin")),
            nonce: _bytes32("fields.", "nonce")
        });
        return (
            MessageHashes.hash(m),
            "Login(address miner,address coordinator,address coordinatorNode,string origin,bytes32 nonce)",
            abi.encode(m)
        );
    }

    function _address(string memory field) internal view returns (address) {
        return json.readAddress(string.concat(at, "fields.", field));
    }

    function _uint(string memory field) internal view returns (uint256) {
        return json.readUint(string.concat(at, "fields.", field));
    }

    function _bytes32(string memory prefix, string memory field) internal view returns (bytes32) {
        return json.readBytes32(string.concat(at, prefix, field));
    }
}
