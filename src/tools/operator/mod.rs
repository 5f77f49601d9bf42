//! Chores of people: admin API and command line only. Being tools, they are authorised and recorded like all others.

mod approval_list;
mod auto_approval_switch;
mod device_abilities;
mod device_add;
mod device_edit;
mod device_probe;
mod device_remove;
mod device_show;
mod device_trust;
mod directing;
mod job_cancel;
mod job_guide;
mod job_list;
mod job_resume;
mod job_retry;
mod job_roll_back;
mod job_skip;
mod login;
mod plan_approve;
pub(crate) mod plan_evidence;
mod plan_list;
mod plan_reject;
mod plan_start;
mod system_status;
mod token_create;
mod token_list;
mod token_revoke;
mod workflow_explain;
mod workflow_list;

use events::principal::Role;

use crate::tools::tool::ToolDef;

/// Chores that change who and what is known.
const ADMIN: &[Role] = &[Role::Admin];
/// Chores of whoever operates.
pub(super) const OPERATORS: &[Role] = &[Role::OpsRw, Role::Admin];
/// Whoever may be asked about a plan; the rules say who may answer.
const APPROVAL: &[Role] = &[Role::OpsRw, Role::Admin, Role::Approver];
/// Everybody who looks at plans.
const EVERYBODY: &[Role] = &[Role::ReadOnly, Role::OpsRw, Role::Admin, Role::Approver];

/// This topic's tools.
pub const TOOLS: &[ToolDef] = &[
    ToolDef::of::<device_add::DeviceAdd>(),
    ToolDef::of::<device_edit::DeviceEdit>(),
    ToolDef::of::<device_show::DeviceShow>(),
    ToolDef::of::<device_abilities::DeviceAbilities>(),
    ToolDef::of::<device_trust::DeviceTrust>(),
    ToolDef::of::<device_remove::DeviceRemove>(),
    ToolDef::of::<device_probe::DeviceProbe>(),
    ToolDef::of::<plan_list::PlanList>(),
    ToolDef::of::<plan_evidence::PlanEvidence>(),
    ToolDef::of::<approval_list::ApprovalList>(),
    ToolDef::of::<plan_approve::PlanApprove>(),
    ToolDef::of::<plan_reject::PlanReject>(),
    ToolDef::of::<plan_start::PlanStart>(),
    ToolDef::of::<job_list::JobList>(),
    ToolDef::of::<job_guide::JobGuide>(),
    ToolDef::of::<job_cancel::JobCancel>(),
    ToolDef::of::<job_retry::JobRetry>(),
    ToolDef::of::<job_skip::JobSkip>(),
    ToolDef::of::<job_roll_back::JobRollBack>(),
    ToolDef::of::<job_resume::JobResume>(),
    ToolDef::of::<workflow_list::WorkflowList>(),
    ToolDef::of::<workflow_explain::WorkflowExplain>(),
    ToolDef::of::<auto_approval_switch::AutoApprovalSwitch>(),
    ToolDef::of::<token_create::TokenCreate>(),
    ToolDef::of::<token_list::TokenList>(),
    ToolDef::of::<token_revoke::TokenRevoke>(),
    ToolDef::of::<system_status::SystemStatus>(),
];
