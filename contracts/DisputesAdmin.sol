// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IDisputes} from "./interfaces/IDisputes.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {IStaking} from "./interfaces/IStaking.sol";

/// @title What the owner may do to Disputes: list models, and set the parameters of disputes to come
/// @dev The owner is a timelock. It has no way to money, or to a dispute that is open.
abstract contract DisputesAdmin is IDisputes, Ownable2Step {
    // ---------------------------------------------------------------------------------------------------------- constants

    /// @notice Bond and jury fee are within these. CAI wei.
    uint256 public constant MIN_DEPOSIT = 1e18;
    /// @notice Most CAI wei of a bond, and of a jury fee.
    uint256 public constant MAX_DEPOSIT = 100_000e18;
    /// @notice Largest fraction of one slash. WAD; Staking has the same.
    uint256 public constant MAX_FRACTION = 0.5e18;
    /// @notice Longest jail of one conviction. Seconds.
    uint256 public constant MAX_JAIL_TERM = 365 days;
    /// @notice Most juries of a dispute.
    uint256 public constant MAX_ROUNDS = 3;
    /// @notice Most operators that a verdict can need.
    uint256 public constant MAX_MIN_JURORS = 16;
    /// @notice Epochs that stake takes to leave, at least: a dispute is over before.
    uint256 public constant UNBONDING_EPOCHS = 2;

    // ------------------------------------------------------------------------------------------------------------ storage

    /// @notice Where stake is held back and slashed.
    IStaking public immutable staking;
    /// @notice Who signs for whom.
    IRegistry public immutable registry;

    /// @dev By version; a dispute keeps the number of those that it opened with.
    Parameters[] internal _parameters;
    /// @inheritdoc IDisputes
    mapping(bytes32 modelId => bool) public isListed;

    constructor(IStaking staking_, IRegistry registry_, address owner_, Parameters memory parameters_) Ownable(owner_) {
        if (address(staking_) == address(0) || address(registry_) == address(0)) revert ZeroAddress();
        (staking, registry) = (staking_, registry_);
        _setParameters(parameters_);
    }

    // -------------------------------------------------------------------------------------------------------------- verbs

    /// @inheritdoc IDisputes
    function setModel(bytes32 modelId, bool listed) external onlyOwner {
        isListed[modelId] = listed;
        emit ModelSet(modelId, listed);
    }

    /// @inheritdoc IDisputes
    function setParameters(Parameters calldata parameters_) external onlyOwner returns (uint256 version) {
        return _setParameters(parameters_);
    }

    function _setParameters(Parameters memory p) internal returns (uint256 version) {
        if (p.bond < MIN_DEPOSIT || p.bond > MAX_DEPOSIT) revert InvalidParameter("bond", p.bond);
        if (p.juryFee < MIN_DEPOSIT || p.juryFee > MAX_DEPOSIT) revert InvalidParameter("juryFee", p.juryFee);
        if (p.fraction == 0 || p.fraction > MAX_FRACTION) revert InvalidParameter("fraction", p.fraction);
        if (p.jailTerm > MAX_JAIL_TERM) revert InvalidParameter("jailTerm", p.jailTerm);
        // Else a node that is replaced right after it signed would not be liable at the offer's expiry.
        if (p.maxOfferLife == 0 || p.maxOfferLife > registry.nodeGrace()) {
            revert InvalidParameter("maxOfferLife", p.maxOfferLife);
        }
        if (p.challengeWindow == 0 || p.answerWindow == 0 || p.seedWindow == 0) revert InvalidParameter("window", 0);
        if (p.commitWindow == 0 || p.revealWindow == 0) revert InvalidParameter("window", 0);
        if (p.minJurors == 0 || p.minJurors > MAX_MIN_JURORS) revert InvalidParameter("minJurors", p.minJurors);
        if (p.rounds == 0 || p.rounds > MAX_ROUNDS) revert InvalidParameter("rounds", p.rounds);
        // From the offer's signature to the end of its last dispute; stake that leaves meanwhile is still there.
        uint256 total = uint256(p.maxOfferLife) + p.challengeWindow + p.answerWindow + p.vetoWindow
            + (uint256(p.seedWindow) + p.commitWindow + p.revealWindow) * p.rounds;
        uint256 limit = UNBONDING_EPOCHS * staking.epochLength();
        if (total > limit) revert ParametersDoNotFit(total, limit);

        version = _parameters.length;
        _parameters.push(p);
        emit ParametersSet(version, p);
    }

    // -------------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc IDisputes
    function currentVersion() public view returns (uint256) {
        return _parameters.length - 1;
    }

    /// @inheritdoc IDisputes
    function parameters(uint256 version) external view returns (Parameters memory) {
        if (version >= _parameters.length) revert UnknownVersion(version);
        return _parameters[version];
    }
}
