// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {BaseTest} from "../../utils/BaseTest.sol";
import {IRandomness} from "../../../contracts/interfaces/IRandomness.sol";

interface IDrand is IRandomness {
    error InvalidParameter(string name, uint256 value);
    error InvalidPublicKey();
    error InvalidSignature(uint256 round);
    error RoundKnown(uint256 round);

    event Submitted(uint256 indexed round, address indexed caller, bytes32 value);

    function submit(uint64 round, uint256[2] calldata signature) external;
    function genesis() external view returns (uint256);
    function period() external view returns (uint256);
    function delay() external view returns (uint256);
}

/// @dev Against beacons of a network of drand's scheme bls-bn254-unchained-on-g1.
contract DrandTest is BaseTest {
    uint256 internal constant GENESIS = 1_727_521_075;
    uint256 internal constant PERIOD = 3;
    uint256 internal constant DELAY = 60;
    /// The order of BN254's base field.
    uint256 internal constant FIELD = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

    IDrand internal drand;

    function setUp() public override {
        super.setUp();
        drand = IDrand(_deploy("DrandRandomness", abi.encode(_key(), GENESIS, PERIOD, DELAY)));
    }

    function _key() internal pure returns (uint256[4] memory) {
        return [
            0x14018a8127d0cd185f0d0cd168bec330c584581d46f77f41e8ee33ad600588e1,
            0x04961f20efbcec8ce5e176aa182bf141f7059cfb467e3b508bc6f36f227d5cf3,
            0x1c7baa2a010677e813ffca24b4ff5faf3348b2750201c85b126a480118b149f5,
            0x14d3e7aba46a99f40aac6507a2c6d6f3c7a6b38038786831e3e6b5b0adf5894b
        ];
    }

    function _round1() internal pure returns (uint256[2] memory) {
        return [
            0x0d2cdded373210583d66d973f28b68adc4a5d52a39304a38343ee9d2e785f335,
            0x098a1d16660304ceeabac9ddb80ec00916dcbe32ac8597b6295baac935f84648
        ];
    }

    function _round10() internal pure returns (uint256[2] memory) {
        return [
            0x0fd919ec1490bf01935f348837bd20f49f539c5adfd60ce29648fe16f8dbed88,
            0x03bf3e8fb4c3cbce5dcb642333d81260a811cc432b2f7a687b9b7c2305ad01ee
        ];
    }

    function test_takesTheNetworksSignatures() public {
        assertEq(drand.seed(1), 0);
        bytes32 value = keccak256(abi.encodePacked(_round1()));
        vm.expectEmit(address(drand));
        emit IDrand.Submitted(1, carol, value);
        vm.prank(carol);
        drand.submit(1, _round1());
        assertEq(drand.seed(1), value);
        drand.submit(10, _round10());
        assertEq(drand.seed(10), keccak256(abi.encodePacked(_round10())));
        assertEq(drand.seed(2), 0);
    }

    function test_refusesAnotherRoundsSignature() public {
        vm.expectRevert(abi.encodeWithSelector(IDrand.InvalidSignature.selector, 10));
        drand.submit(10, _round1());
        vm.expectRevert(abi.encodeWithSelector(IDrand.InvalidSignature.selector, 1));
        drand.submit(1, _round10());
        vm.expectRevert(abi.encodeWithSelector(IDrand.InvalidSignature.selector, 0));
        drand.submit(0, _round1());
    }

    function test_refusesWhatIsNoSignature() public {
        bytes memory invalid = abi.encodeWithSelector(IDrand.InvalidSignature.selector, 1);
        uint256[2] memory s = _round1();
        // The point at infinity, which the pairing would take for a neutral element.
        vm.expectRevert(invalid);
        drand.submit(1, [uint256(0), 0]);
        // The negated point.
        vm.expectRevert(invalid);
        drand.submit(1, [s[0], FIELD - s[1]]);
        // Not on the curve.
        vm.expectRevert(invalid);
        drand.submit(1, [s[0] + 1, s[1]]);
        // The same point written otherwise: it would be another seed.
        vm.expectRevert(invalid);
        drand.submit(1, [s[0] + FIELD, s[1]]);
        vm.expectRevert(invalid);
        drand.submit(1, [s[0], s[1] + FIELD]);
    }

    /// @notice A round has one value: nobody can bring another, or the same again.
    function test_refusesAReplay() public {
        drand.submit(1, _round1());
        vm.expectRevert(abi.encodeWithSelector(IDrand.RoundKnown.selector, 1));
        drand.submit(1, _round1());
    }

    /// @notice The first round that is drawn `delay` seconds from now or later: never one that somebody may know.
    function testFuzz_schedulesTheFirstRoundAfterTheDelay(uint256 time) public {
        time = bound(time, 1, type(uint40).max);
        vm.warp(time);
        uint256 round = drand.schedule();
        uint256 roundTime = GENESIS + (round - 1) * PERIOD;
        assertGe(roundTime, time + DELAY, "known too early");
        if (round > 1) assertLt(roundTime - PERIOD, time + DELAY, "not the first");
    }

    function test_scheduleOnTheDot() public {
        vm.warp(GENESIS - DELAY);
        assertEq(drand.schedule(), 1);
        vm.warp(GENESIS - DELAY + 1);
        assertEq(drand.schedule(), 2);
        vm.warp(GENESIS - DELAY + 3);
        assertEq(drand.schedule(), 2);
        vm.warp(GENESIS - DELAY + 4);
        assertEq(drand.schedule(), 3);
    }

    function test_constructorRefusesBadKeys() public {
        bytes4 invalid = IDrand.InvalidPublicKey.selector;
        uint256[4] memory key;
        vm.expectRevert(invalid);
        this.deploy("DrandRandomness", abi.encode(key, GENESIS, PERIOD, DELAY));
        key = _key();
        key[3] += 1;
        vm.expectRevert(invalid);
        this.deploy("DrandRandomness", abi.encode(key, GENESIS, PERIOD, DELAY));
        key = _key();
        key[0] += FIELD;
        vm.expectRevert(invalid);
        this.deploy("DrandRandomness", abi.encode(key, GENESIS, PERIOD, DELAY));
        // The real part first, as other libraries write it.
        key = _key();
        (key[0], key[1], key[2], key[3]) = (key[1], key[0], key[3], key[2]);
        vm.expectRevert(invalid);
        this.deploy("DrandRandomness", abi.encode(key, GENESIS, PERIOD, DELAY));
    }

    /// @notice A point of the curve that is not in the group of keys: x = 1, found by counting up. Pairings with it mean nothing.
    function test_constructorRefusesAKeyOutsideTheGroup() public {
        uint256[4] memory key = [
            uint256(0x0),
            0x1,
            0x0d1271953ed9ea0836846e70a1934187998c7f790cb4d7511b7f8da82de048a4,
            0x2869111d5381f072f8e2728fdb825a51aadd70e52c9830e9ab4b871c0531f1bb
        ];
        vm.expectRevert(IDrand.InvalidPublicKey.selector);
        this.deploy("DrandRandomness", abi.encode(key, GENESIS, PERIOD, DELAY));
    }

    function test_constructorsBounds() public {
        bytes4 invalid = IDrand.InvalidParameter.selector;
        vm.expectRevert(abi.encodeWithSelector(invalid, "genesis", 0));
        this.deploy("DrandRandomness", abi.encode(_key(), 0, PERIOD, DELAY));
        vm.expectRevert(abi.encodeWithSelector(invalid, "period", 0));
        this.deploy("DrandRandomness", abi.encode(_key(), GENESIS, 0, DELAY));
        vm.expectRevert(abi.encodeWithSelector(invalid, "delay", 0));
        this.deploy("DrandRandomness", abi.encode(_key(), GENESIS, PERIOD, 0));
        vm.expectRevert(abi.encodeWithSelector(invalid, "delay", 1 days + 1));
        this.deploy("DrandRandomness", abi.encode(_key(), GENESIS, PERIOD, 1 days + 1));
        assertEq(drand.genesis(), GENESIS);
        assertEq(drand.period(), PERIOD);
        assertEq(drand.delay(), DELAY);
    }
}
