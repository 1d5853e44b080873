// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {DisputesTest, Evidence, IDisputes, IStaking, MessageHashes, Offer, Result} from "../../utils/DisputesTest.sol";

contract ChallengeTest is DisputesTest {
    using MessageHashes for Offer;
    using MessageHashes for Result;

    function test_opensADispute() public {
        uint256 deadline = block.timestamp + ANSWER;
        uint256 epoch = staking.currentEpoch();
        bytes32 id = keccak256(abi.encode(address(disputes), digest, uint256(1), bytes32(0)));
        vm.expectEmit(address(staking));
        emit IStaking.Held(miner, address(disputes), epoch, FRACTION, FRACTION);
        vm.expectEmit(address(disputes));
        emit IDisputes.Challenged(
            id, digest, miner, challenger, 0, epoch, 1, deadline, offer, result, request, 0, new bytes(0)
        );
        assertEq(_challenge(1), id);

        IDisputes.Dispute memory d = disputes.dispute(id);
        assertEq(d.accused, miner);
        assertEq(d.challenger, challenger);
        assertEq(d.deadline, deadline);
        assertEq(uint8(d.phase), uint8(IDisputes.Phase.Answer));
        assertEq(uint8(d.fault), uint8(IDisputes.Fault.None));
        assertEq(d.transition, 1);
        assertEq(d.states, 3);
        assertEq(d.epoch, epoch);
        assertEq(d.result, digest);
        assertEq(d.traceRoot, result.traceRoot);
        assertEq(d.blobRoot, 0);
        assertEq(cai.balanceOf(address(disputes)), BOND + FEE);
        assertEq(cai.balanceOf(challenger), 100_000e18 - BOND - FEE);
    }

    function test_everyTransitionOnce() public {
        for (uint256 k; k <= 3; ++k) {
            bytes32 id = _challenge(k);
            _tryChallenge(k, abi.encodeWithSelector(IDisputes.AlreadyChallenged.selector, id));
        }
        _tryChallenge(4, abi.encodeWithSelector(IDisputes.InvalidTransition.selector, 4, 3));
        _tryChallenge(
            type(uint256).max, abi.encodeWithSelector(IDisputes.InvalidTransition.selector, type(uint256).max, 3)
        );
    }

    /// @notice A dispute that ended is not opened again.
    function test_forEver() public {
        bytes32 id = _juryOn(1);
        _vote(id, IDisputes.Verdict.Innocent);
        disputes.resolve(id);
        _assertPhase(id, IDisputes.Phase.Acquitted);
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.AlreadyChallenged.selector, id));
        _challenge(2);
    }

    // ----------------------------------------------------------------------------------------------------------- the receipt

    function test_requiresTheOffersRequest() public {
        bytes memory other = bytes.concat(request, "x");
        bytes memory reason =
            abi.encodeWithSelector(IDisputes.RequestMismatch.selector, keccak256(other), keccak256(request));
        request = other;
        _tryChallenge(1, reason);
    }

    function _expectMalformed(bytes memory malformed) internal {
        request = malformed;
        _signReceipt();
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.MalformedRequest.selector));
    }

    /// @notice Whatever the bytes are, the refusal has a name.
    function test_malformedRequests() public {
        bytes memory good = request;
        _expectMalformed("");
        _expectMalformed("short");
        _expectMalformed(new bytes(255));
        _expectMalformed(new bytes(256));
        _expectMalformed(new bytes(16 * 1024 + 32));
        _expectMalformed(bytes.concat(good, new bytes(32)));
        _expectMalformed(_withWord(good, 0, 2));
        _expectMalformed(_withWord(good, 3, 0));
        _expectMalformed(_withWord(good, 3, uint256(type(uint32).max) + 1));
        _expectMalformed(_withWord(good, 4, 256));
        _expectMalformed(_withWord(good, 6, 8 * 32));
        _expectMalformed(_withWord(good, 6, type(uint256).max));
        _expectMalformed(_withWord(good, 7, 33));
        _expectMalformed(_withWord(good, 7, type(uint256).max));
    }

    /// @notice The largest numbers that have a place.
    function test_largestRequest() public {
        request = _withWord(_withWord(request, 3, type(uint32).max), 4, 254);
        _signReceipt();
        result.states = type(uint32).max;
        _sign();
        assertEq(disputes.dispute(_challenge(1)).states, type(uint32).max);
        request = _withWord(request, 4, 255);
        _signReceipt();
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.NotDisputable.selector));
    }

    function _withWord(bytes memory data, uint256 index, uint256 word) internal pure returns (bytes memory copy) {
        copy = bytes.concat(data);
        assembly ("memory-safe") {
            mstore(add(add(copy, 32), mul(index, 32)), word)
        }
    }

    /// @notice The longest request is one of 16 KiB.
    function test_longestRequest() public {
        bytes memory body = new bytes(16 * 1024 - 256);
        request = abi.encode(uint8(1), MODEL, bytes32("salt"), uint32(3), uint8(0), bytes32(0), body);
        assertEq(request.length, 16 * 1024);
        _signReceipt();
        _challenge(1);
    }

    function testFuzz_requestsNeverPanic(bytes memory random) public {
        request = random;
        _signReceipt();
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.MalformedRequest.selector));
    }

    function test_requiresTheOffersModel() public {
        offer.modelId = keccak256("another");
        _sign();
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.ModelMismatch.selector, MODEL, offer.modelId));
    }

    function test_requiresAListedModel() public {
        vm.prank(timelock);
        disputes.setModel(MODEL, false);
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.ModelNotListed.selector, MODEL));
    }

    function test_refusesNonDisputableRequests() public {
        flags = 1;
        _makeReceipt();
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.NotDisputable.selector));
    }

    function test_requiresTheResultsOffer() public {
        bytes32 expected = result.offerHash;
        result.offerHash = keccak256("another");
        resultSignature = _sign(minerKey, result.hash());
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.OfferMismatch.selector, result.offerHash, expected));
    }

    function test_requiresTheCoordinatorsNode() public {
        offerSignature = _sign(minerKey, offer.hash());
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.InvalidOffer.selector, coordinator, minerNode));
        offerSignature = "no signature";
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.InvalidOffer.selector, coordinator, address(0)));
    }

    function test_requiresTheMinersNode() public {
        resultSignature = _sign(coordinatorKey, result.hash());
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.InvalidResult.selector, miner, coordinatorNode));
        resultSignature = "";
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.InvalidResult.selector, miner, address(0)));
    }

    /// @notice A stolen key that was replaced binds its operator no longer than the grace after.
    function test_retiredNodeKeys() public {
        (address next, uint256 key) = makeAddrAndKey("next node");
        bytes memory consent = _consent(miner, next, key);
        vm.prank(miner);
        registry.setNode(next, consent);
        uint256 retiredAt = block.timestamp;
        // Signed before, or shortly after: still liable.
        _challenge(1);
        vm.warp(retiredAt + GRACE - 30 minutes);
        _signReceipt();
        assertEq(offer.expiry, retiredAt + GRACE);
        _challenge(1);
        vm.warp(block.timestamp + 1);
        _signReceipt();
        _tryChallenge(1, abi.encodeWithSelector(IDisputes.InvalidResult.selector, miner, minerNode));
    }

    /// @notice What was signed for another chain or another Registry is worth nothing here.
    function test_replaysFromAnotherChainOrRegistry() public {
        bytes32 domain = registry.domainSeparator();
        bytes memory mine = resultSignature;
        vm.chainId(1);
        assertNotEq(registry.domainSeparator(), domain);
        _tryChallenge(
            1,
            abi.encodeWithSelector(
                IDisputes.OfferMismatch.selector,
                result.offerHash,
                MessageHashes.digest(registry.domainSeparator(), offer.hash())
            )
        );
        // Even when the offer is signed anew for this chain, the old result's signature recovers to somebody else.
        _sign();
        resultSignature = mine;
        vm.expectPartialRevert(IDisputes.InvalidResult.selector);
        _challenge(1);
    }

    /// @notice Two Disputes contracts have different ids for the same thing: a commitment for one is none for the other.
    function test_idsNameTheContract() public {
        IDisputes other = IDisputes(_deployDisputes(_disputeParameters()));
        vm.startPrank(timelock);
        other.setModel(MODEL, true);
        staking.proposeSlasher(address(other));
        vm.stopPrank();
        _nextEpoch(5);
        _signReceipt();
        vm.prank(challenger);
        cai.approve(address(other), BOND + FEE);
        bytes32 id = _challenge(1);
        vm.prank(challenger);
        assertNotEq(other.challenge(offer, result, offerSignature, resultSignature, request, 1, _noTile()), id);
    }

    // ------------------------------------------------------------------------------------------------------------------ time

    function test_window() public {
        uint256 until = offer.expiry + CHALLENGE;
        vm.warp(until);
        _challenge(1);
        vm.warp(until + 1);
        _tryChallenge(2, abi.encodeWithSelector(IDisputes.ChallengeTooLate.selector, until));
    }

    function test_offersLife() public {
        offer.expiry = uint64(block.timestamp + OFFER_LIFE);
        _sign();
        _challenge(1);
        offer.expiry += 1;
        _sign();
        _tryChallenge(
            1, abi.encodeWithSelector(IDisputes.OfferTooLong.selector, offer.expiry, block.timestamp + OFFER_LIFE)
        );
        offer.expiry = type(uint64).max;
        _sign();
        _tryChallenge(
            1, abi.encodeWithSelector(IDisputes.OfferTooLong.selector, offer.expiry, block.timestamp + OFFER_LIFE)
        );
    }

    function test_notWhileEntryIsPaused() public {
        vm.prank(guardian);
        staking.pauseEntry(block.timestamp + 1 hours);
        _tryChallenge(1, abi.encodeWithSelector(IStaking.EntryPaused.selector, block.timestamp + 1 hours));
    }

    function test_notByARetiredSlasher() public {
        vm.prank(timelock);
        staking.retireSlasher(address(disputes));
        _tryChallenge(1, abi.encodeWithSelector(IStaking.Unauthorised.selector, address(disputes)));
    }

    // --------------------------------------------------------------------------------------------------------------- the tile

    function _tileOf(uint256 index, bytes memory data) internal view returns (IDisputes.Tile memory t) {
        (t.index, t.count, t.data) = (index, 2, data);
        t.proof = new bytes32[](1);
        t.proof[0] = _tileLeaf(1 - index, index == 0 ? bytes("second") : tile);
    }

    /// @notice An accomplice cannot use up `finish` by challenging a tile that is as it should be.
    function test_puppetCannotBurnFinish() public {
        bytes32[] memory leaves = new bytes32[](2);
        (leaves[0], leaves[1]) = (_tileLeaf(0, tile), _tileLeaf(1, "second"));
        result.outputHash = _root(leaves);
        _sign();
        bytes32 puppets = _challenge(challenger, 3, _tileOf(0, tile));
        bytes32 id = _challenge(challenger, 3, _tileOf(1, "second"));
        assertNotEq(id, puppets);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.AlreadyChallenged.selector, id));
        _challenge(challenger, 3, _tileOf(1, "second"));
    }

    function test_tiles() public {
        IDisputes.Tile memory t;
        vm.expectRevert(abi.encodeWithSelector(IDisputes.InvalidTile.selector, 0));
        _challenge(challenger, 3, t);
        t.data = new bytes(Evidence.MAX_TILE + 1);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.InvalidTile.selector, t.data.length));
        _challenge(challenger, 3, t);
        (t.count, t.data) = (1, "another");
        vm.expectRevert(
            abi.encodeWithSelector(IDisputes.InvalidProof.selector, _tileLeaf(0, t.data), result.outputHash)
        );
        _challenge(challenger, 3, t);
        // Steps have none.
        vm.expectRevert(abi.encodeWithSelector(IDisputes.InvalidTile.selector, t.data.length));
        _challenge(challenger, 2, t);
        t.data = tile;
        t.index = 1;
        vm.expectRevert(
            abi.encodeWithSelector(IDisputes.InvalidProof.selector, _tileLeaf(1, t.data), result.outputHash)
        );
        _challenge(challenger, 3, t);
        t.index = 0;
        bytes32 id = _challenge(challenger, 3, t);
        assertEq(disputes.dispute(id).transition, 3);
    }

    // --------------------------------------------------------------------------------------------------------------- who is who

    function test_nodesSpeakForTheirOperator() public {
        address operator = jurors[0];
        address node = registry.nodeOf(operator);
        _give(node, address(disputes), BOND + FEE);
        bytes32 id = _challenge(node, 1, _noTile());
        assertEq(disputes.dispute(id).challenger, operator);
        // A replaced node speaks for nobody.
        (address next, uint256 key) = makeAddrAndKey("next");
        bytes memory consent = _consent(operator, next, key);
        vm.prank(operator);
        registry.setNode(next, consent);
        _give(node, address(disputes), BOND + FEE);
        id = _challenge(node, 2, _noTile());
        assertEq(disputes.dispute(id).challenger, node);
    }

    function test_notByTheAccused() public {
        _give(miner, address(disputes), BOND + FEE);
        _give(minerNode, address(disputes), BOND + FEE);
        vm.expectRevert(abi.encodeWithSelector(IDisputes.Involved.selector, miner));
        _challenge(miner, 1, _noTile());
        vm.expectRevert(abi.encodeWithSelector(IDisputes.Involved.selector, miner));
        _challenge(minerNode, 1, _noTile());
    }

    function test_needsBondAndFee() public {
        vm.prank(challenger);
        cai.approve(address(disputes), BOND + FEE - 1);
        vm.expectRevert();
        _challenge(1);
        vm.prank(challenger);
        cai.approve(address(disputes), BOND + FEE);
        _challenge(1);
    }

    // ------------------------------------------------------------------------------------------------------------- structure

    /// @notice A wrong number of states is guilty at once; what the transition is does not matter.
    function test_wrongStatesIsGuiltyAtOnce() public {
        result.states = 4;
        _sign();
        bytes32 id = keccak256(abi.encode(address(disputes), digest, uint256(0), bytes32(0)));
        vm.expectEmit(address(disputes));
        emit IDisputes.FoundGuilty(id, IDisputes.Fault.Structure, block.timestamp + VETO);
        _challenge(0);
        _assertPhase(id, IDisputes.Phase.Veto);
        vm.warp(block.timestamp + VETO);
        disputes.resolve(id);
        _assertPhase(id, IDisputes.Phase.Convicted);
        assertEq(uint8(disputes.dispute(id).fault), uint8(IDisputes.Fault.Structure));
    }

    function test_noStatesIsAWrongNumber() public {
        result.states = 0;
        _sign();
        _assertPhase(_challenge(0), IDisputes.Phase.Veto);
    }

    function test_unknownDisputes() public {
        bytes memory reason = abi.encodeWithSelector(IDisputes.UnknownDispute.selector, bytes32("none"));
        vm.expectRevert(reason);
        disputes.dispute("none");
        vm.expectRevert(reason);
        disputes.resolve("none");
        vm.expectRevert(reason);
        disputes.commit("none", "commitment");
        vm.expectRevert(reason);
        disputes.reveal("none", IDisputes.Verdict.Guilty, 0, 0);
        vm.expectRevert(reason);
        disputes.claim("none", 0, 0);
        IDisputes.Opening memory opening = _opening(0);
        vm.expectRevert(reason);
        disputes.answer("none", opening, new IDisputes.Chunk[](0));
    }
}
