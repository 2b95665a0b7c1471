-- What Argo CD shows of a VectorTenant: what Flux (kstatus) makes of the same object, and Suspended for one that is
-- paused before it could be used. No conditions, or those of an older spec: the operator has not looked at it yet.
local function shown(status, message)
  return {status = status, message = message or ""}
end

local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    conditions[condition.type] = condition
  end
end
local ready, reconciling, stalled = conditions.Ready, conditions.Reconciling, conditions.Stalled

if obj.metadata.deletionTimestamp ~= nil then
  return shown("Progressing", ready and ready.message or "Being deleted")
end
if ready == nil or reconciling == nil or stalled == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return shown("Progressing", "The operator has not looked at this spec yet")
end
if reconciling.status == "True" then
  return shown("Progressing", reconciling.message)
end
if stalled.status == "True" then
  return shown("Degraded", stalled.message)
end
if ready.status == "True" then
  return shown("Healthy", ready.message)
end
if reconciling.reason == "Paused" then
  return shown("Suspended", reconciling.message)
end
return shown("Progressing", ready.message)
